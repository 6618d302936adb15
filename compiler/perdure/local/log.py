"""The event log: what happened to a run, in order, appended and never changed.

Lies in the run store's SQLite file. Entries are buffered (`perdure.local.recorder`) and written in
one transaction. The key (run, sequence) is the fence: of two processes that drive one run, the
second to append is refused.
The entries are described in `docs/formats/event-log.md`.
"""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple, final

from perdure.local.schema import prepare
from perdure.store.protocol import Json
from perdure.store.sqlite import SqliteStore

__all__ = ["Entry", "EventLog", "LostLease"]


class LostLease(Exception):  # noqa: N818
    """Another process drives this run now."""


class Entry(NamedTuple):
    """One thing that happened: a kind, when, and fields that depend on the kind."""

    kind: str
    time: float
    fields: Mapping[str, Json]

    def text(self, name: str) -> str:
        """Return a field that is text."""
        value = self.fields.get(name)
        if not isinstance(value, str):
            raise ValueError(f"broken event log: {self.kind} has no {name}")
        return value

    def number(self, name: str) -> float:
        """Return a field that is a number."""
        value = self.fields.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"broken event log: {self.kind} has no {name}")
        return value

    def integer(self, name: str) -> int:
        """Return a field that is a whole number."""
        return int(self.number(name))


@final
class EventLog:
    """The logs of all runs in one store file."""

    def __init__(self, store: SqliteStore) -> None:
        prepare(store)
        self._store = store

    def read(self, run: str, after: int = 0) -> list[Entry]:
        """Return the entries of a run past a sequence number, in order."""
        query = "SELECT entry FROM log WHERE run = ? AND sequence > ? ORDER BY sequence"
        rows = self._store.connection.execute(query, (run, after)).fetchall()
        try:
            # Many small texts are parsed several times faster as one.
            bodies: list[dict[str, Json]] = json.loads(f"[{','.join(row[0] for row in rows)}]")
            return [_entry(body) for body in bodies]
        except (ValueError, TypeError, KeyError, AttributeError):
            raise sqlite3.DatabaseError(f"the event log of run {run} is damaged") from None

    def write(self, entries: Sequence[tuple[str, int, Entry]]) -> None:
        """Append entries (run, sequence, entry), within the transaction of the caller."""
        rows = [(run, number, _text(entry)) for run, number, entry in entries]
        try:
            self._store.connection.executemany("INSERT INTO log VALUES (?, ?, ?)", rows)
        except sqlite3.IntegrityError:
            runs = sorted({run for run, _, _ in entries})
            raise LostLease(f"another process drives run {', '.join(runs)} now") from None


def _text(entry: Entry) -> str:
    body = {"kind": entry.kind, "time": entry.time, **entry.fields}
    return _encoder().encode(body)


@cache
def _encoder() -> json.JSONEncoder:
    # ASCII: what a flow prints may hold halves of surrogate pairs, which no file takes.
    return json.JSONEncoder(separators=(",", ":"), check_circular=False)


def _entry(fields: dict[str, Json]) -> Entry:
    kind, time = fields.pop("kind"), fields.pop("time")
    if not isinstance(kind, str) or not isinstance(time, int | float):
        raise ValueError("broken event log: an entry without kind and time")
    return Entry(kind, time, fields)
