"""`match(run, name)`: pairs the oldest free event with the live waiter, on every form of the store.

It is idempotent and runs after every write: of an event, of a waiter, at a deadline, when a waiter
is closed. One pairing is three conditional writes:

    1. event   free -> offered to the waiter
    2. waiter  live -> won(event)            this write alone is the decision
    3. event   offered -> taken, or free again if the waiter decided otherwise

A crash between any two of them leaves an offered event, which the next `match` settles by looking
at the waiter; two matchers at once help each other in the same way. `perdure.store.line` says who
waits, so that the cost of a `match` is that of the waits under way, not of all there ever were.
"""

from perdure.store.inbox import get_event, lower_mark, open_events, raise_mark
from perdure.store.line import in_line, join_line, leave_line
from perdure.store.protocol import (
    Doorbell,
    Event,
    EventState,
    Item,
    RunStore,
    Taken,
    Waiter,
    WaiterState,
)
from perdure.store.records import (
    event_body,
    event_key,
    event_record,
    waiter_body,
    waiter_key,
    waiter_record,
)

__all__ = [
    "close",
    "doorbells",
    "expire",
    "get_waiter",
    "live_waiters",
    "match",
    "register",
    "rung",
]


def register(store: RunStore, waiter: Waiter) -> Waiter:
    """Register a wait, once per path (repeating returns what was decided), and match its names."""
    key = waiter_key(waiter.run, waiter.path)
    if not store.put_if_absent(key, waiter_body(waiter)):
        _renew_token(store, waiter)
    known = _require(store, waiter.run, waiter.path)
    if not _is_done(known):
        join_line(store, known)
    for name in known.names:
        match(store, waiter.run, name)
    return _require(store, waiter.run, waiter.path)


def _renew_token(store: RunStore, waiter: Waiter) -> None:
    """Give an existing waiter the token of the newest attempt to wait."""
    if waiter.token is None:
        return
    while (item := store.get(waiter_key(waiter.run, waiter.path))) is not None:
        old = waiter_record(item)
        if old.token == waiter.token:
            return
        renewed = old._replace(token=waiter.token, rung=False)
        if store.replace(item.key, item.version, waiter_body(renewed)):
            return


def _is_done(waiter: Waiter) -> bool:
    """Say that nobody needs to look at this waiter any more."""
    return waiter.state is not WaiterState.LIVE and (waiter.token is None or waiter.rung)


def match(store: RunStore, run: str, name: str) -> tuple[Doorbell, ...]:
    """Pair events of this name with live waiters as far as it goes; the doorbells to ring.

    The waiter first in line comes first; a waiter for several names takes the lowest index that is
    there; an event stored after a waiter's deadline is not for it.
    """
    for item, event in open_events(store, run, name):
        if event.state is EventState.OFFERED:
            _settle(store, item, event)
    line = in_line(store, run, name)
    for waiter in line:
        if waiter.state is WaiterState.LIVE:
            _serve(store, waiter)
    if line:
        raise_mark(store, run, name)
        _tidy(store, run, name)
    return doorbells(store, run)


def _tidy(store: RunStore, run: str, name: str) -> None:
    done = [waiter.path for waiter in in_line(store, run, name) if _is_done(waiter)]
    if done:
        leave_line(store, run, name, done)


def _serve(store: RunStore, waiter: Waiter) -> None:
    """Offer the waiter events until it is decided or none is left for it."""
    for name in waiter.names:
        for item, event in open_events(store, waiter.run, name):
            if waiter.deadline is None or event.stored <= waiter.deadline:
                _offer(store, item, event, waiter)
                if _require(store, waiter.run, waiter.path).state is not WaiterState.LIVE:
                    return


def _offer(store: RunStore, item: Item, event: Event, waiter: Waiter) -> None:
    """Try to give the waiter this event; whoever it is offered to already comes first."""
    if event.state is EventState.FREE:
        offered = event._replace(state=EventState.OFFERED, waiter=waiter.path)
        store.replace(item.key, item.version, event_body(offered))
    current = store.get(item.key)
    if current is not None and event_record(current).state is EventState.OFFERED:
        _settle(store, current, event_record(current))


def _settle(store: RunStore, item: Item, event: Event) -> None:
    """Bring an offered event to where its waiter's decision says, deciding it if it is live."""
    while event.state is EventState.OFFERED:
        chosen = Taken(event.name, event.sequence)
        place = store.get(waiter_key(event.run, event.waiter or ""))
        waiter = None if place is None else waiter_record(place)
        if place is not None and waiter is not None and waiter.state is WaiterState.LIVE:
            won = waiter._replace(state=WaiterState.WON, won=chosen)
            store.replace(place.key, place.version, waiter_body(won))
            continue
        if waiter is not None and waiter.state is WaiterState.WON and waiter.won == chosen:
            settled = event._replace(state=EventState.TAKEN)
        else:
            settled = event._replace(state=EventState.FREE, waiter=None)
        if store.replace(item.key, item.version, event_body(settled)):
            return
        newer = store.get(item.key)
        if newer is None:
            return
        item, event = newer, event_record(newer)


def expire(store: RunStore, run: str, path: str, now: float) -> Waiter:
    """Decide a waiter whose deadline has come: an event stored by then wins, else it expires."""
    key = waiter_key(run, path)
    while True:
        waiter = _require(store, run, path)
        if waiter.state is not WaiterState.LIVE:
            return waiter
        if waiter.deadline is None or now < waiter.deadline:
            return waiter
        for name in waiter.names:
            match(store, run, name)
        item = store.get(key)
        if item is None or waiter_record(item).state is not WaiterState.LIVE:
            continue
        expired = waiter_record(item)._replace(state=WaiterState.EXPIRED)
        if store.replace(key, item.version, waiter_body(expired)):
            for name in waiter.names:
                match(store, run, name)
            return expired


def close(store: RunStore, run: str, path: str) -> Waiter:
    """End a wait that lost or was cancelled; an event it took is given back, in its old place.

    The waiter keeps what it won until that is given back, so repeating this after a crash between
    any two writes goes on with it.
    """
    key = waiter_key(run, path)
    while True:
        item = store.get(key)
        if item is None:
            # Closed before it was registered: nobody may register it live afterwards.
            early = Waiter(run, path, (), 0.0, state=WaiterState.CLOSED)
            if store.put_if_absent(key, waiter_body(early)):
                return early
            continue
        waiter = waiter_record(item)
        if waiter.state is WaiterState.EXPIRED:
            break
        if waiter.state is WaiterState.CLOSED and waiter.won is None:
            break
        if waiter.state is WaiterState.CLOSED and waiter.won is not None:
            _free(store, waiter, waiter.won)
            closed = waiter._replace(won=None)
        else:
            closed = waiter._replace(state=WaiterState.CLOSED)
        store.replace(key, item.version, waiter_body(closed))
    for name in waiter.names:
        match(store, run, name)
    return waiter


def _free(store: RunStore, waiter: Waiter, won: Taken) -> None:
    """Free the event a closed waiter had won, unless that happened before."""
    while (event := get_event(store, waiter.run, won.name, won.sequence)) is not None:
        if event.state is not EventState.TAKEN or event.waiter != waiter.path:
            break
        item = store.get(event_key(waiter.run, won.name, won.sequence))
        if item is None or event_record(item) != event:
            continue
        freed = event._replace(state=EventState.FREE, waiter=None)
        if store.replace(item.key, item.version, event_body(freed)):
            break
    lower_mark(store, waiter.run, won.name, won.sequence)


def live_waiters(store: RunStore, run: str) -> list[Waiter]:
    """Return the waits under way, the first in line first, ties to the lower index."""
    return [waiter for waiter in in_line(store, run) if waiter.state is WaiterState.LIVE]


def doorbells(store: RunStore, run: str) -> tuple[Doorbell, ...]:
    """Return the tokens of decided waiters that nobody acknowledged as rung."""
    return tuple(
        Doorbell(waiter.token, waiter_key(run, waiter.path))
        for waiter in in_line(store, run)
        if waiter.token is not None and not waiter.rung and waiter.state is not WaiterState.LIVE
    )


def rung(store: RunStore, doorbell: Doorbell) -> None:
    """Note that this doorbell was rung, or that its waiter came by itself."""
    while (item := store.get(doorbell.key)) is not None:
        waiter = waiter_record(item)
        if waiter.rung or waiter.token != doorbell.token:
            return
        if store.replace(item.key, item.version, waiter_body(waiter._replace(rung=True))):
            return


def get_waiter(store: RunStore, run: str, path: str) -> Waiter | None:
    """Return the wait at this path."""
    item = store.get(waiter_key(run, path))
    return None if item is None else waiter_record(item)


def _require(store: RunStore, run: str, path: str) -> Waiter:
    waiter = get_waiter(store, run, path)
    if waiter is None:
        raise LookupError(f"nothing waits at {path!r} of run {run!r}")
    return waiter
