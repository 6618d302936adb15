"""Cancelling a run: its waits end with a CancelledError, cleanup runs, the run ends cancelled.

A child flow is cancelled itself, and its parent goes on when it has ended. A run that rests in a
Wait of Step Functions' own has no cleanup to run: its execution is stopped.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Final

from perdure.codec import Json, encode_error
from perdure.sites.error_names import CANCELLED
from perdure.sites.executions import Stops, generation_name
from perdure.sites.waits import Bell
from perdure.store.match import close, live_waiters
from perdure.store.protocol import FORMAT, End, Key, RunRecord, RunStore, Status
from perdure.store.records import partition_of
from perdure.store.runs import end_run, get_run, request_cancel

__all__ = [
    "ASK",
    "CHILD",
    "cancel",
    "cancel_wait",
    "is_overtaken",
    "overtake",
    "rest",
    "rested",
    "spare",
]

CHILD: Final = ("~child",)
"""The line of a wait for a child flow; its path is the child's id below the parent's."""


ASK: Final = ("~ask",)
"""The line of a wait for an answer of another run."""


def cancel(
    store: RunStore,
    run: str,
    bell: Bell,
    executions: Stops,
    *,
    now: float,
    ended: Callable[[RunRecord], None] = lambda record: None,
) -> None:
    """Ask the run to cancel, and end what it waits in.

    `ended` is told of each run that this ended itself: those who wait for it are to be rung.
    """
    record = request_cancel(store, run)
    if record.end is not None:
        return
    waits = [w for w in live_waiters(store, run) if store.get(_spared(run, w.path)) is None]
    for waiter in waits:
        if waiter.names == CHILD:
            child = f"{run}/{waiter.path}"
            if is_overtaken(store, run):
                overtake(store, child)
            if get_run(store, child) is not None:
                cancel(store, child, bell, executions, now=now, ended=ended)
            continue
        close(store, run, waiter.path)
        if waiter.token is not None and waiter.names == ASK:
            bell.ring(waiter.token)  # the site that comes next knows why
        elif waiter.token is not None:
            cancel_wait(bell, waiter.token)
    generation = None if waits else _resting_in(store, run, now)
    if generation is not None:
        executions.stop(record.flow, generation_name(run, generation))
        error = encode_error(asyncio.CancelledError())
        ended(end_run(store, run, End(Status.CANCELLED, error=error), now))


def spare(store: RunStore, run: str, path: str) -> None:
    """The wait at this path belongs to the cleanup: a second cancel does not end it."""
    store.put_if_absent(_spared(run, path), {"format": FORMAT})


def _spared(run: str, path: str) -> Key:
    return Key(partition_of(run), f"spared/{path}")


def cancel_wait(bell: Bell, token: str) -> bool:
    """End a waiting Task with the CancelledError that the flow sees."""
    error = encode_error(asyncio.CancelledError())
    return bell.fail(token, CANCELLED, json.dumps(error))


def overtake(store: RunStore, run: str) -> None:
    """The run is cancelled by a race or a deadline: its steps are, too, not only its waits."""
    store.put_if_absent(_overtaken(run), {"format": FORMAT})


def is_overtaken(store: RunStore, run: str) -> bool:
    """Whether steps of the run that end now are recorded as cancelled."""
    return store.get(_overtaken(run)) is not None


def _overtaken(run: str) -> Key:
    return Key(partition_of(run), "overtaken")


def rest(
    store: RunStore, run: str, generation: int, until: float, line: Mapping[str, Json]
) -> None:
    """The run goes into a Wait that nothing but StopExecution ends; `line` is what its trace gains
    if that happens.
    """
    key = _resting(run)
    body: dict[str, Json] = {
        "format": FORMAT,
        "generation": generation,
        "until": until,
        "line": dict(line),
    }
    while not store.put_if_absent(key, body):
        item = store.get(key)
        if item is not None and store.replace(key, item.version, body):
            return


def rested(store: RunStore, run: str) -> Mapping[str, Json] | None:
    """What was noted when the run last went to rest."""
    item = store.get(_resting(run))
    return None if item is None else item.body


def _resting_in(store: RunStore, run: str, now: float) -> int | None:
    """The generation of the run that rests now."""
    body = rested(store, run)
    if body is None:
        return None
    until, generation = body["until"], body["generation"]
    rests = isinstance(until, int | float) and now < until
    return int(str(generation)) if rests else None


def _resting(run: str) -> Key:
    return Key(partition_of(run), "rest")
