"""A wait of the flow in the run store: registered once, decided once, read by the next site.

The token of Step Functions is a doorbell: whoever decides the wait rings it, and says nothing
with it. The site after the wait reads in the store what was decided. A doorbell that was lost,
or a wait whose time is up, ends in the same place: the Task times out, and one site looks again.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from perdure.codec import Json
from perdure.store.inbox import get_event
from perdure.store.match import close, expire, get_waiter, register, rung
from perdure.store.protocol import Doorbell, RunStore, Waiter, WaiterState
from perdure.store.records import waiter_key

__all__ = [
    "NEVER",
    "Bell",
    "Contestant",
    "Ended",
    "decided",
    "earlier",
    "first_due",
    "limit",
    "ring",
    "start",
]

NEVER = 99_999_999
"""Seconds: the longest time limit Step Functions takes, for a wait without one."""


class Bell(Protocol):
    """How a waiting Task is told to go on. False: it is not waiting any more."""

    def ring(self, token: str) -> bool:
        """SendTaskSuccess."""
        ...

    def fail(self, token: str, error: str, cause: str) -> bool:
        """SendTaskFailure."""
        ...


class Contestant(NamedTuple):
    """An event (with its `event` name) or a sleep (None); `due` is when its time is up."""

    name: str
    event: str | None
    due: float | None


class Ended(NamedTuple):
    """The contestant that ended first; `payload` of an event, or that its time is up."""

    contestant: int
    payload: Json
    timed_out: bool


def first_due(contestants: Sequence[Contestant]) -> float | None:
    """When the wait is over without an event."""
    return min((c.due for c in contestants if c.due is not None), default=None)


def earlier(one: float | None, other: float | None) -> float | None:
    """The earlier of two moments, of which either may be none."""
    return min((due for due in (one, other) if due is not None), default=None)


def limit(due: float | None, now: float) -> int:
    """Whole seconds of the Task's time limit; what is left then is slept by the site that looks."""
    return NEVER if due is None else min(NEVER, max(1, math.floor(due - now)))


def start(
    store: RunStore,
    run: str,
    path: str,
    contestants: Sequence[Contestant],
    *,
    over: float | None,
    now: float,
    token: str,
    bell: Bell,
) -> None:
    """Register the wait, until `over`; what is decided at once rings at once."""
    names = tuple(c.event for c in contestants if c.event is not None)
    register(store, Waiter(run, path, names, since=now, deadline=over, token=token))
    settle(store, run, path, now)
    ring(store, run, path, bell)


def settle(store: RunStore, run: str, path: str, now: float) -> Waiter:
    """Decide the wait if its time is up."""
    return expire(store, run, path, now)


def ring(store: RunStore, run: str, path: str, bell: Bell) -> None:
    """Ring the Task of a decided wait, and note that it was heard or is gone."""
    waiter = get_waiter(store, run, path)
    if waiter is None or waiter.token is None or waiter.state is WaiterState.LIVE or waiter.rung:
        return
    bell.ring(waiter.token)
    rung(store, Doorbell(waiter.token, waiter_key(run, path)))


def decided(
    store: RunStore, run: str, path: str, contestants: Sequence[Contestant]
) -> Ended | None:
    """How the wait ended; None while it goes on. Ties go to the lower index."""
    waiter = get_waiter(store, run, path)
    if waiter is None or waiter.state is WaiterState.LIVE:
        return None
    over = _over(contestants)
    if waiter.state is not WaiterState.WON or waiter.won is None:
        return over
    event = get_event(store, run, waiter.won.name, waiter.won.sequence)
    assert event is not None, "a taken event stays in the inbox"
    index = next(i for i, c in enumerate(contestants) if c.event == waiter.won.name)
    due = first_due(contestants)
    # What comes from outside goes before the timers of its instant; only where both were there
    # when the wait began does the lower index win.
    both = due is not None and due <= waiter.since and event.stored <= waiter.since
    tie = over is not None and both and over.contestant < index
    if over is not None and tie and contestants[over.contestant].event is None:
        close(store, run, path)
        return over
    return Ended(index, event.payload, timed_out=False)


def _over(contestants: Sequence[Contestant]) -> Ended | None:
    due = first_due(contestants)
    if due is None:
        return None
    index = next(i for i, c in enumerate(contestants) if c.due == due)
    return Ended(index, None, timed_out=True)
