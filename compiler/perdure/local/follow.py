"""What happens in a run and its children, as it is written: for `perdure show --follow`."""

from collections.abc import Iterator
from typing import final

from perdure.local.history import children_of
from perdure.local.journal import Journal
from perdure.local.log import Entry, EventLog
from perdure.store.sqlite import SqliteStore

__all__ = ["Follower"]


@final
class Follower:
    """Reads what is new in the logs of a run and its children. `past`: also what was before."""

    def __init__(self, store: SqliteStore, run: str, *, past: bool = False) -> None:
        self._store = store
        self._log = EventLog(store)
        self._journals = {run: Journal(run)}
        if not past:
            for _ in self.news():
                pass

    def news(self) -> Iterator[tuple[str, Entry, Journal]]:
        """Return (run, entry, the run's journal after it) for all that is new."""
        for run in [*self._journals]:
            yield from self._read(run)

    def _read(self, run: str) -> Iterator[tuple[str, Entry, Journal]]:
        journal = self._journals[run]
        for entry in self._log.read(run, journal.length):
            journal.apply(entry)
            yield run, entry, journal
            state = journal.operations.get(str(entry.fields.get("path", "")))
            if state is None or state.kind != "flow":
                continue
            for child in children_of(self._store, run, state):
                if child not in self._journals:
                    self._journals[child] = Journal(child)
                    yield from self._read(child)
