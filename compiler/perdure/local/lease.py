"""Who drives a run: one process at a time, and a dead one is taken over at once.

A lease names its process (place, pid, and when that pid began, so that a reused pid is another
one). A place is where a pid means one process: a host, and on Linux a namespace of pids there, for
containers may share a host's name and each count their own. In the same place a process that is
gone gives up its leases by that; in another one a process that has not renewed for `STALE` seconds
does.
"""

import os
import socket
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final, NamedTuple, final

from perdure.local.schema import prepare
from perdure.local.wakes import Program, Wakes
from perdure.store.sqlite import SqliteStore

__all__ = ["RENEW", "STALE", "Held", "Leases"]

STALE: Final = 30.0
RENEW: Final = 5.0
_SERVES: Final = "~worker/"
"""Instead of a run (no run id begins like this): who drives whatever is due."""


class Held(NamedTuple):
    """Somebody alive drives the run (or, of a worker, whatever is due)."""

    run: str
    host: str
    pid: int


@final
class Leases:
    """The leases in one store file, as one engine (`owner`) sees them."""

    def __init__(self, store: SqliteStore, owner: str) -> None:
        self._store = store
        self._owner = self.owner = owner
        self._place = _place()
        self._pid = os.getpid()
        self._began = _began(self._pid)
        prepare(store)

    def take(self, run: str, now: float) -> Held | None:
        """Take the lease of a run, or say who has it."""
        # A lease that is lost with the power was that of a process that is gone.
        with self._store.without_sync(), self._store.transaction():
            held = self.holder(run, now)
            if held is None:
                self.hold(run, now)
        return held

    def hold(self, run: str, now: float) -> None:
        """Take the lease of a run that nobody drives, within the transaction of the caller: who
        makes a run due and means to drive it leaves no worker a moment in between."""
        self._take([run], now)
        self._store.connection.execute("UPDATE wakes SET at = NULL WHERE run = ?", (run,))

    def take_due(self, wakes: Wakes, program: Program, now: float, limit: int) -> list[str]:
        """Take the leases of runs of a program that are due."""
        with self._store.without_sync(), self._store.transaction():
            runs = wakes.due(now, program, limit)
            self._take(runs, now)
            wakes.hold(runs)
        return runs

    def _take(self, runs: Sequence[str], now: float) -> None:
        mine = (self._owner, self._place, self._pid, self._began, now)
        self._store.connection.executemany(
            "INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?, ?, ?)",
            [(run, *mine) for run in runs],
        )

    def holder(self, run: str, now: float) -> Held | None:
        """Return who else drives the run now."""
        row = self._store.connection.execute(
            "SELECT owner, host, pid, began, renewed FROM leases WHERE run = ?", (run,)
        ).fetchone()
        if row is None or row[0] == self._owner:
            return None
        _, place, pid, began, renewed = row
        alive = self._is_alive(place, pid, began, renewed, now)
        return Held(run, _host(place), int(pid)) if alive else None

    def driver(self, run: str, now: float) -> Held | None:
        """Return who else drives the run now, or will as soon as it is due."""
        return self.holder(run, now) or self.server(now)

    def _is_alive(self, place: object, pid: int, began: object, renewed: float, now: float) -> bool:
        return _began(pid) == began if place == self._place else now - renewed < STALE

    def take_over(self, now: float) -> list[str]:
        """Make the runs due whose process is gone; which they are."""
        rows = self._store.connection.execute(
            "SELECT owner, host, pid, began, max(renewed) FROM leases WHERE owner != ?"
            " GROUP BY owner",
            (self._owner,),
        ).fetchall()
        dead = [
            str(owner)
            for owner, place, pid, began, renewed in rows
            if not self._is_alive(place, pid, began, renewed, now)
        ]
        if not dead:
            return []
        found: list[str] = []
        with self._store.without_sync(), self._store.transaction():
            for owner in dead:
                query = "SELECT run FROM leases WHERE owner = ?"
                runs = self._store.connection.execute(query, (owner,)).fetchall()
                self._store.connection.executemany("UPDATE wakes SET at = 0 WHERE run = ?", runs)
                self._store.connection.execute("DELETE FROM leases WHERE owner = ?", (owner,))
                found += [str(run) for (run,) in runs]
        return found

    def serve(self, now: float) -> None:
        """Say that this process drives whatever is due."""
        with self._store.without_sync(), self._store.transaction():
            self._take([f"{_SERVES}{self._owner}"], now)

    def hand_to(self, pid: int) -> None:
        """Say that another process serves instead, unless it has said so (or left) by itself."""
        with self._store.without_sync():
            self._store.connection.execute(
                "UPDATE leases SET pid = ?, began = ? WHERE owner = ? AND pid = ?",
                (pid, _began(pid), self._owner, self._pid),
            )

    def retire(self, wakes: Wakes, given_up: Collection[Program]) -> bool:
        """Serve no more, unless something is due or will be by itself; whether that is so.

        One transaction: whoever writes later finds that nobody serves. `given_up` are programs
        that cannot be driven.
        """
        with self._store.without_sync(), self._store.transaction():
            if wakes.has_times(given_up):
                return False
            self.give_up()
        return True

    def is_left(self, run: str) -> bool:
        """Say whether a run that nobody drives has anything to do but wait for an event."""
        query = (
            "SELECT 1 FROM wakes WHERE run = ?"
            " AND (at IS NOT NULL OR EXISTS (SELECT 1 FROM leases WHERE leases.run = wakes.run))"
        )
        return self._store.connection.execute(query, (run,)).fetchone() is not None

    def server(self, now: float) -> Held | None:
        """Return a live process that drives whatever is due."""
        rows = self._store.connection.execute(
            "SELECT run, host, pid, began, renewed FROM leases WHERE run >= ? AND run < ?",
            (_SERVES, _SERVES + "\U0010ffff"),
        ).fetchall()
        for run, place, pid, began, renewed in rows:
            if self._is_alive(place, pid, began, renewed, now):
                return Held(str(run), _host(place), int(pid))
        return None

    def renew(self, now: float) -> None:
        """Say that this engine is alive."""
        with self._store.without_sync():
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


def _place() -> str:
    """Where this process's pid means it: the host, and the namespace of pids where there is one."""
    try:
        namespace = f"/{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        namespace = ""
    return socket.gethostname() + namespace


def _host(place: object) -> str:
    return str(place).partition("/")[0]


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
