"""A run and a newer source of its flow: does its history fit, and going over to it.

The flow is run from its first line on the new source, on a copy of what is recorded, with nothing
happening in the world. It fits when the flow comes to every operation that is recorded, and each
is what it was, with the same arguments; what is new may only come after that. A wait that has not
ended may be given up.
"""

import ast
import difflib
import json
from collections.abc import Iterator
from typing import NamedTuple, final

from perdure.local.bodies import Attempt
from perdure.local.engine import Engine
from perdure.local.journal import OperationState
from perdure.local.log import Entry, EventLog
from perdure.local.loop import EngineLoop
from perdure.local.program import Program, SourceCopy
from perdure.local.run import Asked, LocalRun
from perdure.local.schema import prepare
from perdure.local.tree import Tree
from perdure.local.wakes import program_of
from perdure.local.writes import forget_wait
from perdure.runtime.bodies import Attempted
from perdure.store.protocol import Json, RunRecord, Versions
from perdure.store.runs import find_run, update_run
from perdure.store.sqlite import SqliteStore

__all__ = ["Verdict", "changed_lines", "compare", "move"]

_WAITS = ("event", "sleep", "timeout")


class Verdict(NamedTuple):
    """Whether a history fits a source."""

    problem: str | None
    """Why not: a place in the source, and what is different there."""
    given_up: tuple[tuple[str, str], ...] = ()
    """(run, path) of waits that the new source has not come to yet, if it ever does."""


def changed_lines(old: SourceCopy, new: SourceCopy) -> list[str]:
    """Return which lines of the new source are different: `app.py:12-14`."""
    found: list[str] = []
    for name in sorted({*old.files, *new.files}):
        before, after = old.files.get(name, ""), new.files.get(name, "")
        if before == after:
            continue
        matcher = difflib.SequenceMatcher(None, before.splitlines(), after.splitlines(), False)
        for tag, _, _, first, last in matcher.get_opcodes():
            if tag == "equal":
                continue
            lines = f"{first + 1}-{last}" if last > first + 1 else f"{first + 1}"
            found.append(f"{name}:{lines}")
    return found


def means_the_same(old: SourceCopy, new: SourceCopy) -> bool:
    """Say whether only comments and spacing differ."""
    if old.files.keys() != new.files.keys():
        return False
    for name, before in old.files.items():
        after = new.files[name]
        if before == after:
            continue
        if not name.endswith(".py") or ast.dump(ast.parse(before)) != ast.dump(ast.parse(after)):
            return False
    return True


def compare(store: SqliteStore, record: RunRecord, program: Program) -> Verdict:
    """Say whether the history of a run that has not ended fits a program."""
    copied = SqliteStore(":memory:")
    try:
        prepare(copied)
        _copy(store, copied, record.run)
        return _Replay(copied, record, program).verdict()
    finally:
        copied.close()


def _copy(store: SqliteStore, to: SqliteStore, run: str) -> None:
    below = (f"run/{run}", f"run/{run}/", f"run/{run}0")
    items = "SELECT * FROM items WHERE partition = ? OR (partition > ? AND partition < ?)"
    logs = "SELECT * FROM log WHERE run = ? OR (run > ? AND run < ?)"
    rows = store.connection.execute(items, below).fetchall()
    entries = store.connection.execute(logs, (run, f"{run}/", f"{run}0")).fetchall()
    with to.transaction():
        to.connection.executemany("INSERT INTO items VALUES (?, ?, ?, ?)", rows)
        to.connection.executemany("INSERT INTO log VALUES (?, ?, ?)", entries)


@final
class _NoBodies:
    """No step runs."""

    def __init__(self, loop: EngineLoop) -> None:
        self._loop = loop

    async def run(self, attempt: Attempt) -> Attempted:
        """Wait for ever."""
        never: Attempted = await self._loop.create_future()
        return never


@final
class _Replay:
    """One flow, run on what is recorded."""

    def __init__(self, store: SqliteStore, record: RunRecord, program: Program) -> None:
        self._record = record
        self._program = program
        loop = EngineLoop(virtual=True)
        loop.stuck = loop.stop
        times = [entry.time for entry in EventLog(store).read(record.run)]
        now = max(times, default=record.started)
        self._engine = Engine(
            store, loop, lambda: now, bodies=_NoBodies(loop), functions=program.functions
        )
        self._engine.on_pause = loop.stop
        self._engine.on_asked = self._asked
        self._seen: set[tuple[str, str]] = set()
        self._runs: dict[str, LocalRun] = {}
        self._states: dict[str, dict[str, OperationState]] = {}
        self._problem: str | None = None

    def verdict(self) -> Verdict:
        """Run the flow as far as it goes, and see what is left."""
        engine, record = self._engine, self._record._replace(cancel=None)
        with self._program.active():
            top = engine.drive_held(record, self._program.flow, Tree(record.run))
            self._note(top)
            engine.loop.run_forever()
            engine.abandon()
        if engine.failure is not None:
            return Verdict(f"the new source cannot repeat the run: {engine.failure}")
        left = [*self._left()]
        if self._problem is None and left:
            self._problem = left[0]
        return Verdict(self._problem, tuple(self._given_up()))

    def _note(self, run: LocalRun) -> None:
        if run.id not in self._runs:
            self._runs[run.id] = run
            self._states[run.id] = dict(run.journal.operations)

    def _asked(self, asked: Asked) -> bool:
        self._note(asked.run)
        state = self._states[asked.run.id].get(asked.op.path)
        if state is None or self._problem is not None:
            return False
        self._seen.add((asked.run.id, asked.op.path))
        problem = _difference(asked, state)
        if problem is not None:
            self._problem = problem
        return problem is None

    def _left(self) -> Iterator[str]:
        """What is recorded, and the flow did not come to."""
        for run, states in self._states.items():
            for path, state in states.items():
                waits = state.kind in _WAITS and state.outcome is None
                if (run, path) in self._seen or waits:
                    continue
                place = f"{state.site.file}:{state.site.line}, as it was: " if state.site else ""
                yield (
                    f"{place}the run has come to `{path}` ({state.kind} {state.name}); the new"
                    " source does not come to it with the same results"
                )

    def _given_up(self) -> Iterator[tuple[str, str]]:
        for run, states in self._states.items():
            for path, state in states.items():
                if (run, path) not in self._seen and state.kind in _WAITS:
                    yield run, path


def _difference(asked: Asked, state: OperationState) -> str | None:
    site = asked.op.site
    where = f"{site.file}:{site.line}: "
    if (asked.kind, asked.name) != (state.kind, state.name):
        old = f" (line {state.site.line} then)" if state.site else ""
        return (
            f"{where}`{asked.op.path}` is the {asked.kind} `{asked.name}` now; the run recorded"
            f" the {state.kind} `{state.name}` there{old}"
        )
    matters = asked.kind in ("step", "flow", "start", "send", "ask", "reply", "cancel")
    if matters and _text(asked.arguments) != _text(state.arguments):
        return f"{where}`{asked.op.path}` gets other arguments now than the run recorded"
    return None


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True)


def move(
    store: SqliteStore, record: RunRecord, versions: Versions, verdict: Verdict, now: float
) -> RunRecord:
    """Let a run, and its children that have not ended, go on with the source of `versions`."""
    log = EventLog(store)
    with store.transaction():
        for run in _tree(store, record.run):
            if find_run(store, run).end is None:
                update_run(store, run, lambda old: old._replace(versions=versions))
        for run in {record.run, *(run for run, _ in verdict.given_up)}:
            left: list[Json] = [path for owner, path in verdict.given_up if owner == run]
            fields: dict[str, Json] = {
                "source": versions.source,
                "before": record.versions.source,
                "paths": left,
            }
            log.write([(run, len(log.read(run)) + 1, Entry("moved", now, fields))])
        for run, path in verdict.given_up:
            forget_wait(store, run, path)
        moved = find_run(store, record.run)
        store.connection.execute(
            "UPDATE wakes SET program = ?, at = 0 WHERE run = ?",
            (str(program_of(moved)), record.run),
        )
    return moved


def _tree(store: SqliteStore, run: str) -> list[str]:
    query = "SELECT partition FROM items WHERE sort = 'record' AND partition > ? AND partition < ?"
    rows = store.connection.execute(query, (f"run/{run}/", f"run/{run}0")).fetchall()
    return [run, *(str(row[0]).removeprefix("run/") for row in rows)]
