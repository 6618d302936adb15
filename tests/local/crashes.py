"""Kills a case anywhere, resumes it, and checks that nothing was lost and nothing done twice.

A *life* is a process of its own (forked) that drives the case, in virtual time, on a store file,
until its end or until something kills it: SIGKILL in front of any SQL statement, so also between
the statements of a transaction; or a disk that takes so many bytes and no more, so that a write
stops in the middle. What steps do to the world is a line each in a pipe that outlives the life.
"""

import os
import pickle
import resource
import signal
import sqlite3
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple, final

from perdure.diagnostics import Report
from perdure.durations import seconds_of
from perdure.frontend.loader import LoadedFlow, load
from perdure.local.bodies import Attempt, Bodies
from perdure.local.engine import Engine
from perdure.local.journal import Journal
from perdure.local.log import EventLog
from perdure.local.schema import open_store
from perdure.local.virtual import run_flow
from perdure.project import find_project
from perdure.runtime.bodies import Attempted
from perdure.testing.request import Request, Result, ScriptedEvent
from perdure.testing.scripts import Scripts
from perdure.trace import Trace, compare
from tests.conformance.case import Case, Script
from tests.conformance.engines import CASES, ROOT

__all__ = ["Totals", "disk_sizes", "statements", "survives"]

DONE, BROKEN, FAULTY = 0, 9, 70
"""How a life ends by itself: with the run, because its store cannot be written, or by our fault."""

type Sabotage = Callable[[Engine], None]


class Life(NamedTuple):
    """What is known of a life afterwards."""

    killed: bool
    effects: Counter[str]
    trace: Trace | None
    statements: int


class Totals(NamedTuple):
    """What a sweep did."""

    lives: int = 0
    kills: int = 0
    steps: int = 0

    def plus(self, other: "Totals") -> "Totals":
        return Totals(*(mine + its for mine, its in zip(self, other, strict=True)))


@cache
def loaded_case(case_id: str) -> LoadedFlow:
    case = CASES[case_id]
    file, _, name = case.flow.partition(":")
    return load(find_project(ROOT / file, Report()), ROOT / file, name)


def statements(case_id: str, store: Path) -> int:
    """How many SQL statements a life that nobody disturbs runs."""
    life = _live(case_id, store, None)
    assert life.trace is not None
    return life.statements


def disk_sizes(case_id: str, folder: Path) -> range:
    """So many bytes may be written at most, in steps that meet the middle of pages."""
    store = folder / "whole.db"
    _live(case_id, store, None, keep=True)
    written = max(path.stat().st_size for path in folder.glob("whole.db*"))
    return range(500, written, 1_777)


def survives(
    case_id: str, store: Path, *, kill_at: int | None, bytes_at_most: int | None
) -> Totals:
    """Sabotage one life at a point, let another finish, and check both; what was done."""
    expected = _expected(case_id)
    first = _live(case_id, store, _sabotage(kill_at, bytes_at_most))
    kept = _recorded(store) if first.killed else set[str]()
    lives, effects = 1, first.effects
    last = first
    if first.killed:
        last = _live(case_id, store, None)
        lives, effects = 2, effects + last.effects
    where = f"{case_id}, kill_at={kill_at}, bytes_at_most={bytes_at_most}"
    assert last.trace is not None, f"{where}: the second life did not end"
    assert compare(expected, last.trace) == [], where
    again = kept & set(last.effects) if first.killed else set[str]()
    assert not again, f"{where}: recorded, and run again: {again}"
    twice = {key for life in (first, last) for key, count in life.effects.items() if count > 1}
    assert not twice - _retried(expected), f"{where}: run twice in one life: {twice}"
    return Totals(lives, int(first.killed), effects.total())


@cache
def _expected(case_id: str) -> Trace:
    return run_flow(_request(CASES[case_id], {}), loaded=loaded_case(case_id)).whole_trace


def _retried(trace: Trace) -> set[str]:
    return {f"run/{entry.path}" for entry in trace.entries if entry.attempts > 1}


def _sabotage(kill_at: int | None, bytes_at_most: int | None) -> Sabotage:
    def sabotage(engine: Engine) -> None:
        if bytes_at_most is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_at_most, resource.RLIM_INFINITY))
        if kill_at is not None:
            left = [kill_at]

            def statement(_: str) -> None:
                left[0] -= 1
                if left[0] < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

            engine.store.connection.set_trace_callback(statement)

    return sabotage


def _request(case: Case, used: Mapping[str, int]) -> Request:
    """The case as a request; of answers in turn, `used` are gone."""
    file, _, name = case.flow.partition(":")
    steps: dict[str, Script] = {
        step: script if callable(script) else script[used.get(step, 0) :]
        for step, script in case.steps.items()
    }
    events = tuple(ScriptedEvent(seconds_of(when), e, payload) for when, e, payload in case.events)
    return Request(
        ROOT / file,
        name,
        dict(case.arguments),
        Scripts(steps, case.unscripted),
        tuple(sorted(events, key=lambda event: event.after)),
        None if case.cancel is None else seconds_of(case.cancel),
    )


def _live(case_id: str, store: Path, sabotage: Sabotage | None, *, keep: bool = False) -> Life:
    """Live once, in a child process; its store file stays."""
    loaded_case(case_id)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        code = BROKEN
        try:
            with suppress(sqlite3.Error):
                code = _in_child(case_id, store, sabotage, write, keep)
        except BaseException:
            traceback.print_exc()
            code = FAULTY
        finally:
            # Whatever happens, this process never goes on as a second run of the tests.
            os._exit(code)
    os.close(write)
    said = bytearray()
    while piece := os.read(read, 65_536):
        said += piece
    os.close(read)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (DONE, BROKEN, -signal.SIGKILL), code
    lines, _, packed = bytes(said).partition(b"\0")
    effects = Counter(lines.decode().splitlines())
    if code != DONE:
        return Life(True, effects, None, 0)
    trace, count = pickle.loads(packed)
    return Life(False, effects, trace, count)


def _in_child(case_id: str, store: Path, sabotage: Sabotage | None, pipe: int, keep: bool) -> int:
    count = [0]
    kept: list[sqlite3.Connection] = []

    def prepare(engine: Engine) -> None:
        engine.bodies = _Noting(engine.bodies, pipe)
        if sabotage is not None:
            sabotage(engine)
        else:

            def statement(_: str) -> None:
                count[0] += 1

            engine.store.connection.set_trace_callback(statement)
        if keep:
            # While a second connection is open the log of writes is not folded into the file.
            kept.append(sqlite3.connect(store))
            kept[0].execute("SELECT count(*) FROM items").fetchone()

    request = _request(CASES[case_id], _used(store))
    result: Result = run_flow(request, loaded=loaded_case(case_id), store=store, prepare=prepare)
    os.write(pipe, b"\0" + pickle.dumps((result.whole_trace, count[0])))
    return DONE


@final
class _Noting:
    """Bodies that leave a line in the world before they do anything else."""

    def __init__(self, bodies: Bodies, pipe: int) -> None:
        self._bodies = bodies
        self._pipe = pipe

    async def run(self, attempt: Attempt) -> Attempted:
        os.write(self._pipe, f"{attempt.run}/{attempt.path}\n".encode())
        return await self._bodies.run(attempt)


def _journals(store: Path) -> list[Journal]:
    if not store.exists():
        return []
    try:
        opened = open_store(store)
    except sqlite3.Error:
        return []
    runs = opened.connection.execute("SELECT DISTINCT run FROM log").fetchall()
    log = EventLog(opened)
    journals = [Journal(str(run), log.read(str(run))) for (run,) in runs]
    opened.close()
    return journals


def _recorded(store: Path) -> set[str]:
    """The steps whose end is in the store."""
    return {
        f"{journal.run}/{state.path}"
        for journal in _journals(store)
        for state in journal.operations.values()
        if state.kind == "step" and (state.outcome is not None or state.interrupted)
    }


def _used(store: Path) -> Counter[str]:
    """How many attempts of each step the store knows the answers of."""
    used: Counter[str] = Counter()
    for journal in _journals(store):
        for state in journal.operations.values():
            if state.kind == "step":
                used[state.name] += state.attempts + (state.outcome is not None)
                used[state.name] += state.interrupted and state.outcome is None
    return used
