"""Which runs somebody has to look at, and when: one row per run that has not ended.

`at` is a time, or nothing while the run waits for an event, or somebody drives it. Whatever is
written about a run *rings*: its row becomes due at once, in the same transaction, so that neither
a process that drives the run nor one that looks for work can miss it. Children are part of the
run at the top.
"""

from collections.abc import Collection, Iterable
from typing import Final, NamedTuple, final

from perdure.store.protocol import RunRecord, RunStore
from perdure.store.runs import get_run
from perdure.store.sqlite import SqliteStore

__all__ = ["Program", "Wakes", "program_of", "root_of"]

_NOW: Final = 0.0


class Program(NamedTuple):
    """What drives a run: a flow, and the digest of the source copy it was started with."""

    source: str
    flow: str

    def __str__(self) -> str:
        return f"{self.source} {self.flow}"

    @classmethod
    def read(cls, text: str) -> "Program":
        """Return the program of this text."""
        source, _, flow = text.partition(" ")
        return cls(source, flow)


def program_of(record: RunRecord) -> Program:
    """Return what drives the run."""
    return Program(record.versions.source, record.flow)


def root_of(store: RunStore, run: str) -> str:
    """Return the run at the top: the one that is driven, and this run with it."""
    while (record := get_run(store, run)) is not None and record.parent is not None:
        run = record.parent
    return run


@final
class Wakes:
    """The rows in one store file. All is to be called within a transaction, but the reads."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self._run = store.connection.execute

    def add(self, record: RunRecord) -> None:
        """A run was claimed: it is due, if it is one at the top that has not ended."""
        if record.parent is None and record.end is None and record.target == "local":
            statement = "INSERT OR IGNORE INTO wakes VALUES (?, ?, ?)"
            self._run(statement, (record.run, str(program_of(record)), _NOW))

    def ring(self, run: str) -> None:
        """Something was written about a run, or one of its children."""
        self._run("UPDATE wakes SET at = ? WHERE run = ?", (_NOW, root_of(self._store, run)))

    def hold(self, runs: Iterable[str]) -> None:
        """Note that what rang for these runs was seen."""
        self._store.connection.executemany(
            "UPDATE wakes SET at = NULL WHERE run = ?", [(run,) for run in runs]
        )

    def wait(self, run: str, at: float | None) -> None:
        """Nobody drives the run from now on; it is due at this time, or when something rings."""
        self._run("UPDATE wakes SET at = ? WHERE run = ?", (at, run))

    def remove(self, run: str) -> None:
        """The run has ended."""
        self._run("DELETE FROM wakes WHERE run = ?", (run,))

    def rung(self) -> list[str]:
        """Return the runs that something was written about."""
        rows = self._run("SELECT run FROM wakes WHERE at = ?", (_NOW,)).fetchall()
        return [str(row[0]) for row in rows]

    def is_rung(self, run: str) -> bool:
        """Say whether something was written about this run."""
        row = self._run("SELECT at FROM wakes WHERE run = ?", (run,)).fetchone()
        return row is not None and row[0] == _NOW

    def due(self, now: float, program: Program, limit: int) -> list[str]:
        """Return the runs of a program that are due and nobody drives, the longest due first."""
        rows = self._run(
            "SELECT run FROM wakes WHERE at <= ? AND program = ?"
            " AND NOT EXISTS (SELECT 1 FROM leases WHERE leases.run = wakes.run)"
            " ORDER BY at LIMIT ?",
            (now, str(program), limit),
        ).fetchall()
        return [str(row[0]) for row in rows]

    def due_programs(self, now: float) -> list[Program]:
        """Return the programs that have such runs."""
        rows = self._run(
            "SELECT DISTINCT program FROM wakes WHERE at <= ?"
            " AND NOT EXISTS (SELECT 1 FROM leases WHERE leases.run = wakes.run)",
            (now,),
        ).fetchall()
        return [Program.read(str(row[0])) for row in rows]

    def has_times(self, but: Collection[Program]) -> bool:
        """Say whether any run is due, or will be by itself; those of some programs do not count."""
        rows = self._run("SELECT DISTINCT program FROM wakes WHERE at IS NOT NULL").fetchall()
        return any(Program.read(str(row[0])) not in but for row in rows)

    def next_due(self) -> float | None:
        """Return when the next run is due."""
        row = self._run("SELECT min(at) FROM wakes WHERE at IS NOT NULL AND at > 0").fetchone()
        return None if row is None or row[0] is None else float(row[0])
