"""What an engine records, on its way to the disk: entries and actions gather, one commit takes all.

The engine commits when its loop is idle, and before anything that reaches out of a run. So what
happened together shares one sync to disk, and nothing in the world hangs on what is not durable.
"""

import asyncio
from collections.abc import Callable
from typing import final

from perdure.local.journal import NO_SYNC
from perdure.local.log import Entry, EventLog
from perdure.store.sqlite import SqliteStore

__all__ = ["Recorder"]


@final
class Recorder:
    """The buffer of one engine. `told` hears of each entry that is durable."""

    def __init__(
        self,
        store: SqliteStore,
        log: EventLog,
        loop: asyncio.AbstractEventLoop,
        told: Callable[[str, Entry], None],
    ) -> None:
        self._store = store
        self._log = log
        self._loop = loop
        self._told = told
        self.on_written: Callable[[int], None] | None = None
        """For tests: told how many entries have become durable, before anybody else is."""
        self._buffer: list[tuple[str, int, Entry]] = []
        self._actions: list[Callable[[], None]] = []
        self._written: list[asyncio.Future[None]] = []

    def record(self, run: str, sequence: int, entry: Entry) -> None:
        """Take an entry for the next write."""
        self._buffer.append((run, sequence, entry))

    def also(self, action: Callable[[], None]) -> None:
        """Do something to the store within the transaction of the next write."""
        self._actions.append(action)

    def written(self) -> asyncio.Future[None]:
        """Wait until all that was recorded so far is durable."""
        future: asyncio.Future[None] = self._loop.create_future()
        self._written.append(future)
        return future

    @property
    def pending(self) -> bool:
        """Whether anything is not durable yet."""
        return bool(self._buffer or self._actions)

    def write(self) -> bool:
        """Commit what was recorded; whether there was anything to do."""
        if not self._buffer and not self._actions:
            return bool(self._release())
        needs_sync = bool(self._actions) or any(
            entry.kind not in NO_SYNC or "due" in entry.fields for _, _, entry in self._buffer
        )
        if needs_sync:
            self.commit(_nothing)
        else:
            with self._store.without_sync():
                self.commit(_nothing)
        return True

    def commit[R](self, action: Callable[[], R]) -> R:
        """Do something to the store now, in one transaction with all that was recorded so far.

        If it raises, nothing of it is written; what was recorded waits for the next write.
        """
        entries, actions = self._buffer, self._actions
        with self._store.transaction():
            if entries:
                self._log.write(entries)
            for each in actions:
                each()
            result = action()
        self._buffer, self._actions = self._buffer[len(entries) :], self._actions[len(actions) :]
        for run, _, entry in entries:
            self._told(run, entry)
        if entries and self.on_written is not None:
            self.on_written(len(entries))
        self._release()
        return result

    def _release(self) -> int:
        futures, self._written = self._written, []
        for future in futures:
            if not future.done():
                future.set_result(None)
        return len(futures)


def _nothing() -> None:
    return None
