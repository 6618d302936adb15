"""The inbox: events stored first, once per id, in order per run and name; and replies to them.

`put_event` is where a sender begins; `perdure.store.match.match` follows every write here.
"""

from perdure.store.protocol import FORMAT, Event, EventState, Item, Json, Reply, RunStore
from perdure.store.records import (
    Body,
    event_body,
    event_key,
    event_record,
    mark_key,
    partition_of,
    reply_key,
    reply_record,
    seen_key,
)

__all__ = [
    "events",
    "get_event",
    "get_reply",
    "lower_mark",
    "open_events",
    "put_event",
    "put_reply",
    "raise_mark",
]


def put_event(
    store: RunStore,
    run: str,
    name: str,
    payload: Json,
    *,
    id: str,
    now: float,
    asks: bool = False,
) -> Event:
    """Store an event at the end of its inbox, exactly once per id; the event that has the id.

    Two writes: first where the event is going to lie (under its id), then the event itself. If
    somebody else takes that place, the first is moved on. Whoever repeats after a crash goes on
    from there, so an id never lies twice, and a sequence has no gaps.
    """
    place = seen_key(run, id)
    while True:
        noted = store.get(place)
        if noted is None:
            body: dict[str, Json] = {
                "format": FORMAT,
                "name": name,
                "sequence": _last(store, run, name) + 1,
            }
            store.put_if_absent(place, body)
            continue
        stored = _settle(store, noted, Event(run, name, 0, id, payload, now, asks))
        if stored is not None:
            return stored


def _settle(store: RunStore, noted: Item, event: Event) -> Event | None:
    """Put the event where its id says, or move that place on and return None."""
    body = Body(noted)
    name, sequence = body.text("name"), body.integer("sequence")
    key = event_key(event.run, name, sequence)
    event = event._replace(name=name, sequence=sequence)
    if store.put_if_absent(key, event_body(event)):
        return event
    there = store.get(key)
    if there is not None and event_record(there).id == event.id:
        return event_record(there)
    moved: dict[str, Json] = {**noted.body, "sequence": _last(store, event.run, name) + 1}
    store.replace(noted.key, noted.version, moved)
    return None


def _last(store: RunStore, run: str, name: str) -> int:
    newest = store.query(partition_of(run), f"inbox/{name}/", newest_first=True, limit=1)
    return event_record(newest[0]).sequence if newest else 0


def events(store: RunStore, run: str, name: str | None = None) -> list[Event]:
    """Return all events of a run (of one name), in order per name, whoever took them."""
    prefix = "inbox/" if name is None else f"inbox/{name}/"
    return [event_record(item) for item in store.query(partition_of(run), prefix)]


def get_event(store: RunStore, run: str, name: str, sequence: int) -> Event | None:
    """Return one event."""
    item = store.get(event_key(run, name, sequence))
    return None if item is None else event_record(item)


def open_events(store: RunStore, run: str, name: str) -> list[tuple[Item, Event]]:
    """Return the events of a name that may be free, oldest first, and all after them."""
    mark = store.get(mark_key(run, name))
    after = "" if mark is None else event_key(run, name, Body(mark).integer("taken")).sort
    items = store.query(partition_of(run), f"inbox/{name}/", after=after)
    return [(item, event_record(item)) for item in items]


def raise_mark(store: RunStore, run: str, name: str) -> None:
    """Note up to where all events are taken, so that nobody reads them again.

    The mark is read before the events: an event that is given back meanwhile lowers it, and this
    write then fails.
    """
    key = mark_key(run, name)
    mark = store.get(key)
    taken = 0 if mark is None else Body(mark).integer("taken")
    before = taken
    for item in store.query(partition_of(run), f"inbox/{name}/", after=_after(run, name, taken)):
        event = event_record(item)
        if event.state is not EventState.TAKEN:
            break
        taken = event.sequence
    body: dict[str, Json] = {"format": FORMAT, "taken": taken}
    if mark is None:
        # An empty mark first: only a replaced mark can notice that one was lowered meanwhile.
        store.put_if_absent(key, {"format": FORMAT, "taken": 0})
    elif taken != before:
        store.replace(key, mark.version, body)


def lower_mark(store: RunStore, run: str, name: str, sequence: int) -> None:
    """Make sure that the event of this sequence is looked at again, whatever others note now."""
    key = mark_key(run, name)
    while (mark := store.get(key)) is not None:
        taken = min(Body(mark).integer("taken"), sequence - 1)
        # Written also when it stays equal: the new version is what stops a stale `raise_mark`.
        if store.replace(key, mark.version, {"format": FORMAT, "taken": taken}):
            return


def _after(run: str, name: str, sequence: int) -> str:
    return event_key(run, name, sequence).sort if sequence else ""


def put_reply(store: RunStore, run: str, event: str, value: Json) -> Reply:
    """Answer an event that asks; the first answer stays."""
    key = reply_key(run, event)
    store.put_if_absent(key, {"format": FORMAT, "event": event, "value": value})
    item = store.get(key)
    return Reply(event, value) if item is None else reply_record(item)


def get_reply(store: RunStore, run: str, event: str) -> Reply | None:
    """Return the answer to an event. None after the run's end means `Unanswered`."""
    item = store.get(reply_key(run, event))
    return None if item is None else reply_record(item)
