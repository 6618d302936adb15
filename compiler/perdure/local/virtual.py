"""The local engine in virtual time: the same engine and log, a script for steps, no waiting.

`run_virtual` drives one run until it has ended or nothing can wake it any more. With
`crash_after` the engine is dropped right after so many log entries were written, as if its
process had been killed, and another one takes over on the same store.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, final

from perdure import __version__
from perdure.codec import VERSION as CODEC
from perdure.codec import encode
from perdure.codec.text import Json
from perdure.diagnostics import Report
from perdure.errors import InvalidInput
from perdure.local.bodies import ScriptedBodies
from perdure.local.children import outcome_of
from perdure.local.engine import Engine, Listener, Start
from perdure.local.history import trace_of
from perdure.local.log import Entry
from perdure.local.loop import EPOCH, EngineLoop
from perdure.local.schema import prepare as prepare_tables
from perdure.runtime.engine import LogRecord
from perdure.runtime.functions import ModuleFunctions
from perdure.runtime.values import encode_input, failed, result_of
from perdure.store.protocol import RunRecord, Versions
from perdure.store.runs import find_run
from perdure.store.sqlite import SqliteStore
from perdure.trace import End as TraceEnd
from perdure.trace import Trace, error_json

if TYPE_CHECKING:
    from perdure.codec.functions import FunctionTable
    from perdure.frontend.loader import LoadedFlow
    from perdure.language import Flow
    from perdure.testing.request import Request, Result
    from perdure.testing.scripts import Scripts

__all__ = ["Happening", "Ran", "run_flow", "run_virtual"]


_LATEST: Final = """
SELECT max(at) FROM (
  SELECT json_extract(entry, '$.time') AS at FROM log
  UNION ALL SELECT json_extract(body, '$.deadline') FROM items
    WHERE sort LIKE 'waiter/%' AND json_extract(body, '$.state') = 'expired'
  UNION ALL SELECT json_extract(body, '$.stored') FROM items WHERE sort LIKE 'inbox/%')
"""


class Happening(NamedTuple):
    """Something from outside, `seconds` after the start: an event, or `name` None to cancel."""

    seconds: float
    name: str | None
    payload: object = None
    at_once: bool = False
    """Of a cancellation: without cleanup."""


class Ran(NamedTuple):
    """What came of a run."""

    trace: Trace
    record: RunRecord
    history: tuple[tuple[str, Entry], ...]
    """(run id, entry) in the order of the logs."""
    logs: tuple[LogRecord, ...]
    crashes: int


class _Crash(sqlite3.Error):  # like a store that is gone: no flow may see it
    """The test kills the engine here."""


@final
class _Recorder(Listener):
    def __init__(self) -> None:
        self.history: list[tuple[str, Entry]] = []
        self.logs: list[LogRecord] = []
        self.ended: set[str] = set()

    def branch_ended(self, path: str) -> None:
        self.ended.add(path)

    def entry(self, run: str, entry: Entry) -> None:
        self.history.append((run, entry))
        if entry.kind == "log":
            number = entry.integer("ordinal")
            logger = entry.fields.get("logger")
            self.logs.append(
                LogRecord(
                    entry.text("scope"),
                    number,
                    None if logger is None else str(logger),
                    entry.text("level"),
                    entry.text("text"),
                )
            )


@final
class _World:
    """One test: what outlives a crash of its engine."""

    def __init__(
        self,
        flow: "Flow[..., object]",
        arguments: Mapping[str, Json],
        scripts: "Scripts",
        functions: "FunctionTable | None",
        store: SqliteStore,
    ) -> None:
        self.flow = flow
        self.arguments = arguments
        self.scripts = scripts
        self.functions = functions
        self.store = store
        self.prepare: Callable[[Engine], None] | None = None
        self.recorder = _Recorder()
        self.elapsed = _latest(store)

    def drive(
        self, run: str, seed: str, happenings: Sequence[Happening], crash_after: int | None
    ) -> bool:
        """Drive the run with one engine; whether it crashed."""
        loop = EngineLoop(virtual=True)
        loop.advance(self.elapsed)

        def clock() -> float:
            return _rounded(EPOCH + loop.time())

        bodies = ScriptedBodies(self.scripts, loop, clock)
        engine = Engine(
            self.store,
            loop,
            clock,
            bodies=bodies,
            listener=self.recorder,
            functions=self.functions,
        )
        engine.on_misfit = partial(_misfit, engine)
        if self.prepare is not None:
            self.prepare(engine)
        if crash_after is not None:
            engine.recorder.on_written = _crash_after(crash_after)
        loop.stuck = loop.stop
        python = "3.13"
        versions = Versions(__version__, python, CODEC, "")
        record = engine.claim(Start(self.flow, self.arguments, versions, run, seed))
        for number in sorted(range(len(happenings)), key=lambda n: happenings[n].seconds):
            # After a crash everything comes once more that may have been lost with it.
            if happenings[number].seconds >= self.elapsed:
                _plan(engine, run, f"test-{number}", happenings[number])
        driven = engine.drive(record, self.flow)
        driven.ended.add_done_callback(lambda _: loop.call_soon(loop.stop))
        crashed = _run_loop(loop) or isinstance(engine.failure, _Crash)
        self.elapsed = loop.time()
        engine.abandon()
        bodies.close()
        if engine.failure is not None and not crashed:
            raise engine.failure
        return crashed


def _rounded(moment: float) -> float:
    """A moment as exact as it is: centuries from now a float holds no microseconds."""
    return round(moment, 6 if moment < 2**32 else 3)


def _latest(store: SqliteStore) -> float:
    """How much virtual time has passed by the newest trace of an earlier process.

    A wait may have expired, or an event have come, of which no log tells yet.
    """
    prepare_tables(store)
    row = store.connection.execute(_LATEST).fetchone()
    return 0.0 if row[0] is None else float(row[0]) - EPOCH


def _run_loop(loop: EngineLoop) -> bool:
    asyncio.set_event_loop(None)
    try:
        loop.run_forever()
    except _Crash:
        return True
    return False


def run_flow(
    request: "Request",
    crash_after: Sequence[int] = (),
    loaded: "LoadedFlow | None" = None,
    *,
    store: Path | None = None,
    prepare: Callable[[Engine], None] | None = None,
) -> "Result":
    """Run one test request of `perdure.testing.run` on the local engine."""
    from perdure.frontend.loader import load
    from perdure.project import find_project
    from perdure.testing.request import RUN_ID, RUN_SEED, Result

    if loaded is None:
        loaded = load(find_project(request.file, Report()), request.file, request.flow)
    request.scripts.check_names(step.name for step in loaded.analysis.steps.values())
    functions = ModuleFunctions(loaded.modules)
    happenings = [Happening(event.after, event.name, event.payload) for event in request.events]
    if request.cancel is not None:
        happenings.append(Happening(request.cancel, None))
    with loaded.active():
        try:
            arguments = encode_input(loaded.flow, request.arguments)
        except InvalidInput as error:
            end = TraceEnd("failed", None, error_json(failed(error)))
            return Result(Trace((), end), error=error)
        ran = run_virtual(
            loaded.flow,
            arguments,
            request.scripts,
            happenings=happenings,
            functions=functions,
            seed=RUN_SEED,
            run=RUN_ID,
            crash_after=crash_after,
            store=store,
            prepare=prepare,
        )
        value, problem = _result_of(ran.record, functions)
    progress = [entry.fields.get("value") for _, entry in ran.history if entry.kind == "progress"]
    return Result(
        ran.trace,
        result=value,
        error=problem,
        history=ran.history,
        logs=ran.logs,
        progress=progress[-1] if progress else None,
    )


def _result_of(
    record: RunRecord, functions: "FunctionTable"
) -> tuple[object, BaseException | None]:
    if record.end is None:
        return None, None
    try:
        return result_of(outcome_of(record.end), functions), None
    except BaseException as error:
        return None, error


def run_virtual(
    flow: "Flow[..., object]",
    arguments: Mapping[str, Json],
    scripts: "Scripts",
    *,
    happenings: Sequence[Happening] = (),
    functions: "FunctionTable | None" = None,
    seed: str = "0" * 32,
    run: str = "run",
    crash_after: Sequence[int] = (),
    store: Path | None = None,
    prepare: Callable[[Engine], None] | None = None,
) -> Ran:
    """Run a flow in virtual time; `arguments` are encoded, by parameter name.

    `crash_after`: after how many written entries the first, second, ... engine crashes. `store`:
    a file instead of memory, where an earlier process may have begun the run. `prepare` gets each
    engine before it begins.
    """
    database = SqliteStore(store if store is not None else ":memory:")
    world = _World(flow, arguments, scripts, functions, database)
    world.prepare = prepare
    crashes = 0
    try:
        while world.drive(
            run, seed, happenings, crash_after[crashes] if crashes < len(crash_after) else None
        ):
            crashes += 1
        record = find_run(database, run)
        trace = trace_of(database, run)
        # Of a run that has not ended only the life knows that saw it.
        trace = trace._replace(ended=(trace.ended or frozenset()) | world.recorder.ended)
    finally:
        database.close()
    recorder = world.recorder
    return Ran(trace, record, tuple(recorder.history), tuple(recorder.logs), crashes)


def _misfit(engine: Engine, problem: str) -> None:
    from perdure.testing.scripts import ScriptError

    engine.stop(ScriptError(problem))


def _plan(engine: Engine, run: str, identity: str, happening: Happening) -> None:
    def happen() -> None:
        if happening.name is None:
            engine.cancel(run, at_once=happening.at_once)
        else:
            engine.put_event(run, happening.name, encode(happening.payload), id=identity)

    engine.loop.happen_at(happening.seconds, happen)


def _crash_after(entries: int) -> "_Countdown":
    return _Countdown(entries)


@final
class _Countdown:
    def __init__(self, entries: int) -> None:
        self._left = entries

    def __call__(self, written: int) -> None:
        self._left -= written
        if self._left <= 0:
            raise _Crash
