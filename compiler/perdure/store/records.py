"""Records of the run store to JSON bodies and back, and the keys they lie under.

A body holds `format` (refused by name when it is newer) and the record's fields.
"""

from collections.abc import Mapping
from typing import Final

from perdure.store.protocol import (
    FORMAT,
    End,
    Event,
    EventState,
    Item,
    Json,
    Key,
    Reply,
    ResultWaiter,
    RunRecord,
    Status,
    StoreTooNew,
    Taken,
    Versions,
    Waiter,
    WaiterState,
)

RUNS: Final = "runs"
STARTS: Final = "starts"


def partition_of(run: str) -> str:
    """Return the partition that holds everything about a run."""
    return f"run/{run}"


def run_key(run: str) -> Key:
    """Return the key of the run's record."""
    return Key(partition_of(run), "record")


def start_key(run: str) -> Key:
    """Return the key that says that somebody outside asked for the run."""
    return Key(partition_of(run), "start")


def index_key(started: float, run: str, partition: str = RUNS) -> Key:
    """Return the key of the entry that lists the run by its start, in microseconds."""
    return Key(partition, f"{int(started * 1_000_000):020d}/{run}")


def event_key(run: str, name: str, sequence: int) -> Key:
    """Return the key of the n-th event of a name."""
    return Key(partition_of(run), f"inbox/{name}/{sequence:012d}")


def seen_key(run: str, event: str) -> Key:
    """Return the key that says where the event of this id lies."""
    return Key(partition_of(run), f"event/{event}")


def mark_key(run: str, name: str) -> Key:
    """Return the key of the low-water mark of a name's inbox."""
    return Key(partition_of(run), f"mark/{name}")


def waiter_key(run: str, path: str) -> Key:
    """Return the key of the wait at this path."""
    return Key(partition_of(run), f"waiter/{path}")


def line_key(run: str, name: str) -> Key:
    """Return the key of the line of waiters for a name."""
    return Key(partition_of(run), f"line/{name}")


def reply_key(run: str, event: str) -> Key:
    """Return the key of the reply to an event."""
    return Key(partition_of(run), f"reply/{event}")


def result_waiter_key(run: str, identity: str) -> Key:
    """Return the key of somebody who waits for the run's end."""
    return Key(partition_of(run), f"result-waiter/{identity}")


class Body:
    """Typed access to the fields of a stored body; a wrong one is a broken store, loudly."""

    __slots__ = ("_fields", "_where")

    def __init__(self, item: Item) -> None:
        self._fields = item.body
        self._where = item.key
        written = item.body.get("format")
        if isinstance(written, int) and written > FORMAT:
            raise StoreTooNew(
                f"the record {item.key.sort!r} has format {written}, this perdure reads {FORMAT}"
            )

    def any(self, name: str) -> Json:
        """Return the field as it is, None if it is not there."""
        return self._fields.get(name)

    def text(self, name: str) -> str:
        """Return a field that is text."""
        value = self._fields.get(name)
        if not isinstance(value, str):
            raise self._broken(name, value)
        return value

    def optional_text(self, name: str) -> str | None:
        """Return a field that is text or null."""
        return None if self._fields.get(name) is None else self.text(name)

    def number(self, name: str) -> float:
        """Return a field that is a number."""
        value = self._fields.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._broken(name, value)
        return value

    def optional_number(self, name: str) -> float | None:
        """Return a field that is a number or null."""
        return None if self._fields.get(name) is None else self.number(name)

    def integer(self, name: str) -> int:
        """Return a field that is a whole number."""
        value = self._fields.get(name)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self._broken(name, value)
        return value

    def truth(self, name: str) -> bool:
        """Return a field that is true or false."""
        value = self._fields.get(name)
        if not isinstance(value, bool):
            raise self._broken(name, value)
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a field that is a list of text."""
        value = self._fields.get(name)
        if not isinstance(value, list | tuple):
            raise self._broken(name, value)
        return tuple(str(each) for each in value)

    def inner(self, name: str) -> "Body | None":
        """Return a field that is an object or null."""
        value = self._fields.get(name)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise self._broken(name, value)
        return Body(Item(self._where, 0, value))

    def _broken(self, name: str, value: object) -> ValueError:
        return ValueError(f"broken store record {self._where}: {name} is {value!r}")


def run_body(record: RunRecord) -> dict[str, Json]:
    """Return the body of a run record."""
    body: dict[str, Json] = {"format": FORMAT, **record._asdict()}
    body["versions"] = record.versions._asdict()
    body["end"] = record.end and {**record.end._asdict(), "status": record.end.status.value}
    return body


def run_record(item: Item) -> RunRecord:
    """Return the run record in an item."""
    body = Body(item)
    versions = body.inner("versions")
    if versions is None:
        raise ValueError(f"broken store record {item.key}: it has no versions")
    end = body.inner("end")
    return RunRecord(
        run=body.text("run"),
        flow=body.text("flow"),
        input_digest=body.text("input_digest"),
        input=body.any("input"),
        versions=Versions(
            compiler=versions.text("compiler"),
            python=versions.text("python"),
            codec=versions.integer("codec"),
            source=versions.text("source"),
        ),
        seed=body.text("seed"),
        started=body.number("started"),
        target=body.text("target"),
        parent=body.optional_text("parent"),
        engine=body.optional_text("engine"),
        cancel=body.optional_text("cancel"),
        progress=body.any("progress"),
        end=None
        if end is None
        else End(Status(end.text("status")), end.any("value"), end.any("error")),
        ended=body.optional_number("ended"),
    )


def event_body(event: Event) -> dict[str, Json]:
    """Return the body of an event."""
    return {"format": FORMAT, **event._asdict(), "state": event.state.value}


def event_record(item: Item) -> Event:
    """Return the event in an item."""
    body = Body(item)
    return Event(
        run=body.text("run"),
        name=body.text("name"),
        sequence=body.integer("sequence"),
        id=body.text("id"),
        payload=body.any("payload"),
        stored=body.number("stored"),
        asks=body.truth("asks"),
        state=EventState(body.text("state")),
        waiter=body.optional_text("waiter"),
    )


def waiter_body(waiter: Waiter) -> dict[str, Json]:
    """Return the body of a waiter."""
    body: dict[str, Json] = {"format": FORMAT, **waiter._asdict(), "state": waiter.state.value}
    body["won"] = waiter.won and waiter.won._asdict()
    body["names"] = list(waiter.names)
    return body


def waiter_record(item: Item) -> Waiter:
    """Return the waiter in an item."""
    body = Body(item)
    won = body.inner("won")
    return Waiter(
        run=body.text("run"),
        path=body.text("path"),
        names=body.texts("names"),
        since=body.number("since"),
        deadline=body.optional_number("deadline"),
        token=body.optional_text("token"),
        state=WaiterState(body.text("state")),
        won=None if won is None else Taken(won.text("name"), won.integer("sequence")),
        rung=body.truth("rung"),
    )


def reply_record(item: Item) -> Reply:
    """Return the reply in an item."""
    body = Body(item)
    return Reply(body.text("event"), body.any("value"))


def result_waiter_record(item: Item) -> ResultWaiter:
    """Return the result waiter in an item."""
    body = Body(item)
    return ResultWaiter(body.text("run"), body.text("id"), body.text("token"), body.truth("rung"))
