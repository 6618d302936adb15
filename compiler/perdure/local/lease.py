"""Who drives a run: one process at a time, and a dead one is taken over at once.

A lease names its process (host, pid, and when that pid began, so that a reused pid is another
one). On the same host a process that is gone gives up its leases by that; on another host one
that has not renewed for `STALE` seconds does.
"""

import os
import socket
from pathlib import Path
from typing import Final, NamedTuple, final

from perdure.store.sqlite import SqliteStore

__all__ = ["RENEW", "STALE", "Held", "Leases"]

STALE: Final = 30.0
RENEW: Final = 5.0
_TABLE: Final = """
CREATE TABLE IF NOT EXISTS leases (
  run TEXT PRIMARY KEY, owner TEXT NOT NULL, host TEXT NOT NULL, pid INTEGER NOT NULL,
  began TEXT NOT NULL, renewed REAL NOT NULL) WITHOUT ROWID
"""


class Held(NamedTuple):
    """Somebody alive drives the run."""

    run: str
    host: str
    pid: int


@final
class Leases:
    """The leases in one store file, as one engine (`owner`) sees them."""

    def __init__(self, store: SqliteStore, owner: str) -> None:
        self._store = store
        self._owner = owner
        self._host = socket.gethostname()
        self._pid = os.getpid()
        self._began = _began(self._pid)
        with store.transaction():
            store.connection.execute(_TABLE)

    def take(self, run: str, now: float) -> Held | None:
        """Take the lease of a run, or say who has it."""
        with self._store.transaction():
            held = self.holder(run, now)
            if held is not None:
                return held
            self._store.connection.execute(
                "INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?, ?, ?)",
                (run, self._owner, self._host, self._pid, self._began, now),
            )
        return None

    def holder(self, run: str, now: float) -> Held | None:
        """Return who else drives the run now."""
        row = self._store.connection.execute(
            "SELECT owner, host, pid, began, renewed FROM leases WHERE run = ?", (run,)
        ).fetchone()
        if row is None or row[0] == self._owner:
            return None
        _, host, pid, began, renewed = row
        is_here = host == self._host
        alive = _began(int(pid)) == began if is_here else now - float(renewed) < STALE
        return Held(run, str(host), int(pid)) if alive else None

    def renew(self, now: float) -> None:
        """Say that this engine is alive."""
        self._store.connection.execute(
            "UPDATE leases SET renewed = ? WHERE owner = ?", (now, self._owner)
        )

    def give_up(self, run: str | None = None) -> None:
        """Give up one lease, or all of this engine."""
        if run is None:
            self._store.connection.execute("DELETE FROM leases WHERE owner = ?", (self._owner,))
        else:
            self._store.connection.execute(
                "DELETE FROM leases WHERE owner = ? AND run = ?", (self._owner, run)
            )


def _began(pid: int) -> str:
    """When a process began, as this system counts; "" if there is none."""
    stat = Path(f"/proc/{pid}/stat")
    try:
        # The command's name stands in parentheses and may hold anything; the 20th field after it.
        fields = stat.read_text(encoding="latin-1").rpartition(")")[2].split()
    except OSError:
        return _began_without_proc(pid)
    return "" if fields[0] in {"Z", "X"} else fields[19]


def _began_without_proc(pid: int) -> str:
    if Path("/proc/self/stat").exists() or pid <= 0:
        return ""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        return "alive"
    return "alive"
