"""A new run that begins where another one was: `perdure fork RUN --at STEP`.

What the run recorded before it came to that operation is copied, with its children and the events
that had come by then; from there on the new run goes its own way. Timers that were running go on
with what they had left.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, final

from perdure.diagnostics import nearest
from perdure.durations import due
from perdure.local.history import children_of
from perdure.local.journal import Journal, OperationState
from perdure.local.log import Entry, EventLog
from perdure.local.writes import claim
from perdure.store.inbox import events, put_event
from perdure.store.protocol import Json, RunRecord
from perdure.store.runs import digest_of, find_run, get_run
from perdure.store.sqlite import SqliteStore

__all__ = ["CannotFork", "fork"]

_OF_OPERATIONS: Final = ("begin", "attempt", "failed", "released")
"""Entries of an operation that has not ended."""


class CannotFork(ValueError):  # noqa: N818  # reads as what happened
    """There is no such place in the run."""


class _Cut(NamedTuple):
    """What is copied of one run: its entries, and when the last of them was."""

    entries: Sequence[Entry]
    time: float


def fork(
    store: SqliteStore,
    run: str,
    at: str,
    name: str,
    *,
    now: float,
    given: dict[str, Json] | None = None,
) -> RunRecord:
    """Make the new run `name`: as `run` was before it came to the operation `at`.

    `given`: another input (encoded) instead of the old one. What is recorded stays as it is.
    """
    record = find_run(store, run)
    copier = _Copier(store, EventLog(store), now)
    cut = _cut_at(run, copier.log.read(run), at)
    encoded = record.input if given is None else given
    new = _fresh(record, name, now)._replace(input=encoded, input_digest=digest_of(encoded))
    with store.transaction():
        if get_run(store, name) is not None:
            raise CannotFork(f"a run has the id `{name}` already")
        made = claim(store, new)
        copier.copy(run, name, cut)
    return made


def _fresh(record: RunRecord, name: str, now: float) -> RunRecord:
    return record._replace(run=name, started=now, parent=None, cancel=None, end=None, ended=None)


def _cut_at(run: str, entries: Sequence[Entry], at: str) -> _Cut:
    begun = {entry.text("path"): entry for entry in entries if entry.kind == "begin"}
    for index, entry in enumerate(entries):
        if entry.kind == "begin" and entry.fields.get("path") == at:
            return _Cut(entries[:index], entry.time)
    for path, entry in begun.items():
        if at.startswith(f"{path}/") and entry.fields.get("operation") == "flow":
            raise CannotFork(f"`{at}` lies in a child: fork at `{path}`, where the child begins")
    meant = nearest(at, begun)
    hint = f"; the nearest is `{meant}`" if meant else f"; it has {', '.join(begun) or 'none'}"
    raise CannotFork(f"run {run} has no operation `{at}`{hint}")


@final
class _Copier:
    """Copies runs of one store, within a transaction."""

    def __init__(self, store: SqliteStore, log: EventLog, now: float) -> None:
        self.store = store
        self.log = log
        self.now = now

    def copy(self, old: str, new: str, cut: _Cut) -> None:
        """Copy what one run had done by the cut, and the children it had by then."""
        journal = Journal(old, cut.entries)
        entries = _without_open(journal, cut, self.now)
        moved = [_under(entry, old, new) for entry in entries]
        self.log.write([(new, number, entry) for number, entry in enumerate(moved, 1)])
        self._copy_events(old, new, journal, cut.time)
        for state in journal.operations.values():
            for child in children_of(self.store, old, state):
                self._copy_child(child, new + child.removeprefix(old), new, state, cut)

    def _copy_child(
        self, old: str, new: str, parent: str, state: OperationState, cut: _Cut
    ) -> None:
        record = find_run(self.store, old)
        if record.started > cut.time:
            return
        entries = self.log.read(old)
        if state.outcome is not None or (record.ended is not None and record.ended <= cut.time):
            inner, copied = _Cut(entries, cut.time), record._replace(run=new, parent=parent)
        else:
            kept = [entry for entry in entries if entry.time <= cut.time]
            inner = _Cut(kept, cut.time)
            copied = _fresh(record, new, record.started)._replace(parent=parent)
        claim(self.store, copied)
        self.copy(old, new, inner)

    def _copy_events(self, old: str, new: str, journal: Journal, until: float) -> None:
        """Copy the events that had come by then, and nobody had taken."""
        taken = {
            state.event.id
            for state in journal.operations.values()
            if state.event is not None and not state.returned
        }
        for event in events(self.store, old):
            if event.stored <= until and event.id not in taken:
                put_event(
                    self.store,
                    new,
                    event.name,
                    event.payload,
                    id=event.id,
                    now=event.stored,
                    asks=event.asks,
                )


def _without_open(journal: Journal, cut: _Cut, now: float) -> Iterator[Entry]:
    """The entries, but of what was under way only timers and children: the rest begins anew."""
    left = {
        path: state
        for path, state in journal.operations.items()
        if state.outcome is None and not state.interrupted
    }
    for entry in cut.entries:
        state = left.get(str(entry.fields.get("path")))
        if entry.kind not in _OF_OPERATIONS or state is None or state.kind == "flow":
            yield entry
        elif entry.kind == "begin" and state.due is not None:
            yield entry._replace(fields={**entry.fields, "due": due(now, state.due - cut.time)})


def _under(entry: Entry, old: str, new: str) -> Entry:
    """The entry, leading to the children of the new run."""
    child = entry.fields.get("child")
    if entry.kind != "attempt" or not isinstance(child, str):
        return entry
    return entry._replace(fields={**entry.fields, "child": new + child.removeprefix(old)})
