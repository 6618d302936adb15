"""Driving runs from the command line: until the end, until only waits are left, or Ctrl-C."""

import asyncio
import json
import os
import random
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click

from perdure.cli import exits
from perdure.cli.called import typed
from perdure.cli.inject import injected, say_unmet
from perdure.cli.output import emit_report
from perdure.cli.output import refused as exit_code
from perdure.cli.plain import plain
from perdure.cli.samples import sample
from perdure.cli.stopping import CLOSED, stop_signals
from perdure.cli.streams import busy, drawn, json_text, out, results_apart, say
from perdure.codec.text import Json
from perdure.driver import FlowName
from perdure.frontend.loader import UserImportError
from perdure.local.bodies import RealBodies
from perdure.local.clock import SteadyClock
from perdure.local.engine import Busy, Engine, Listener
from perdure.local.journal import OperationState
from perdure.local.log import Entry, LostLease
from perdure.local.loop import EngineLoop
from perdure.local.program import Program, Refused, WrongPython, load_program, load_stored
from perdure.local.run import LocalRun
from perdure.render.width import visible
from perdure.run_ids import made_id
from perdure.runtime.engine import Failed, LogRecord
from perdure.store.protocol import RunRecord, Status
from perdure.store.runs import find_run
from perdure.store.sqlite import SqliteStore

__all__ = ["Driver", "error_text", "interrupted", "legible", "load_file", "load_run", "new_engine"]


def load_file(name: FlowName) -> Program | int:
    """The flow of a file, or the exit code after its problems are written."""
    try:
        with results_apart(), busy(f"reading {name.path}"):
            return load_program(name)
    except WrongPython as error:
        raise click.UsageError(str(error)) from None
    except Refused as refused:
        emit_report(refused.report, "text", refused.root)
        return exit_code(refused.report)
    except UserImportError as error:
        say(f"error: the file cannot be imported: {error}")
    return exits.REFUSED


def load_run(
    store: SqliteStore, record: RunRecord, root: Path, *, quiet: bool = False
) -> Program | int:
    """The flow of a run with the source it began with, or an exit code."""
    try:
        with results_apart():
            program, changed = load_stored(store, record, root)
    except WrongPython as error:
        raise click.UsageError(str(error)) from None
    except Refused as refused:
        emit_report(refused.report, "text", refused.root)
        return exits.REFUSED
    except UserImportError as error:
        say(f"error: the file cannot be imported: {error}")
        return exits.REFUSED
    if changed and not quiet:
        files = ", ".join(f"`{name}`" for name in changed)
        say(f"{files} changed since the run began: it goes on with the source it began with")
    return program


def new_engine(store: SqliteStore, program: Program, faults: tuple[str, ...] = ()) -> Engine:
    """An engine in real time; `faults`: what `--inject` says."""
    clock = SteadyClock()
    return Engine(
        store,
        EngineLoop(),
        clock,
        bodies=injected(RealBodies(clock), faults, program),
        listener=_Screen(),
        functions=program.functions,
        jitter=random.random,
    )


class _Screen(Listener):
    """Shows what the flow prints, and, on a terminal, what happens."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()

    def logged(self, run: str, record: LogRecord) -> None:
        if record.logger is None and record.level == "print":
            say(record.text, end="")
        else:
            say(f"{record.level.upper()} {record.logger or 'root'}: {record.text}")

    def entry(self, run: str, entry: Entry) -> None:
        if not self._live:
            return
        if entry.kind == "attempt" or "attempt" in entry.fields:
            number = 1 if entry.kind == "begin" else entry.integer("number")
            again = f" (attempt {number})" if number > 1 else ""
            _live(f"  … {entry.text('path')}{again}")
        elif entry.kind == "end":
            mark = "✗" if "error" in entry.fields else "✓"
            _live(f"  {mark} {entry.text('path')}")
        elif entry.kind == "progress":
            say(f"  {json.dumps(plain(entry.fields.get('value')), ensure_ascii=False)}")


def _live(line: str) -> None:
    say(click.style(drawn(line, sys.stderr), dim=True))


class Driver:
    """Drives one run at the top, and whatever it starts."""

    def __init__(self, engine: Engine, program: Program, *, detach: bool) -> None:
        self._engine = engine
        self._program = program
        self._detach = detach
        self._announced: set[str] = set()
        self._top: LocalRun | None = None
        self._interrupted = False
        self._left: list[str] | None = None
        """How to wake what was left waiting, as it was then: closing the engine ends its tasks."""
        self._run = ""

    def drive(self, record: RunRecord) -> int:
        """Drive the run; the exit code."""
        self._run = record.run
        with _until_interrupted(self._interrupt):
            code = self._driven(record)
        say_unmet(self._engine.bodies)
        return code

    def _driven(self, record: RunRecord) -> int:
        loop = self._engine.loop
        asyncio.set_event_loop(None)
        try:
            self._top = self._engine.drive(record, self._program.flow)
        except Busy as busy:
            self._engine.close()
            raise click.UsageError(
                f"{busy}; `{typed()} show {record.run} --follow` watches it"
            ) from None
        except sqlite3.Error:
            self._engine.abandon()
            raise
        self._top.ended.add_done_callback(lambda _: loop.call_soon(self._after_end))
        self._engine.on_quiet = self._quiet
        try:
            with self._program.active(), results_apart():
                if not self._interrupted:
                    loop.run_forever()
                self._engine.rest()
        except LostLease as lost:
            say(f"{lost}; this one stops")
            self._engine.failure = lost
            self._engine.close()
            return exits.INTERRUPTED
        finally:
            failure = self._engine.failure
            if not loop.is_closed():
                self._engine.close()
        if failure is not None:
            raise failure
        return self._report(find_run(self._engine.store, record.run))

    def _interrupt(self) -> None:
        """Stop when the loop comes to it; it may be deep in a step's own code now."""
        if self._interrupted:
            # Asked twice: a step keeps the loop. The store is as safe as after any crash.
            say("stopped at once: the step under way runs again")
            os._exit(interrupted(self._run))
        self._interrupted = True
        if not self._engine.loop.is_closed():
            self._engine.loop.call_soon_threadsafe(self._engine.loop.stop)

    def _after_end(self) -> None:
        """Stay for runs it started that nobody waits for, as far as they have work."""
        if all(run.ended.done() for run in self._engine.runs.values()):
            self._engine.loop.stop()

    def _quiet(self) -> bool:
        """Only waits are left: say how to wake the run, or leave it."""
        if self._top is None:
            return False
        if self._top.ended.done() or self._detach:
            if not self._top.ended.done():
                self._left = [
                    line
                    for run, state in _waits(self._engine)
                    for line in _waiting_text(run, state, self._program)
                ]
            self._engine.loop.stop()
            return True
        self._announce()
        return False

    def _announce(self) -> None:
        for run, state in _waits(self._engine):
            key = f"{run.id}/{state.path}"
            if key not in self._announced:
                self._announced.add(key)
                for line in _waiting_text(run, state, self._program):
                    say(line)

    def _report(self, record: RunRecord) -> int:
        if record.end is None:
            if self._left is not None:
                for line in (record.run, *self._left):
                    out(line)
                return exits.WAITING
            return interrupted(record.run)
        if record.end.status is Status.COMPLETED:
            value = plain(record.end.value)
            if value is not None:
                out(json_text(value))
            return exits.DONE
        if record.end.status is Status.CANCELLED:
            say(f"run {record.run} is cancelled")
        else:
            say(f"error: run {record.run} failed: {legible(error_text(record.end.error))}")
            for line in _where(self._top, record):
                say(click.style(line, dim=True))
            say(f"  {typed()} show {record.run}")
        return exits.REFUSED


@contextmanager
def _until_interrupted(interrupt: Callable[[], None]) -> Generator[None]:
    """While this holds, Ctrl-C, SIGTERM and a terminal that is closed call `interrupt` instead of
    raising anywhere."""
    numbers = stop_signals()
    heard_of: set[int] = set()

    def heard(number: int, _frame: FrameType | None) -> None:
        # The system and the shell both say that a terminal is closed: nobody asked twice.
        if number != CLOSED or not heard_of:
            heard_of.add(number)
            interrupt()

    before = [signal.signal(number, heard) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def interrupted(run: str) -> int:
    """Say how to go on with a run that was stopped; the exit code."""
    say(f"run {run} is interrupted; go on with:\n  {typed()} resume {run}")
    return exits.INTERRUPTED


def _where(run: LocalRun | None, record: RunRecord) -> list[str]:
    """Where a failed run raised: the flow's own lines, then those of the step it came from."""
    if run is None or record.end is None:
        return []
    journal = run.journal
    lines = journal.raised.splitlines()[1:-1]
    for state in reversed(journal.ended):
        if isinstance(state.outcome, Failed) and state.outcome.error == record.end.error:
            if state.traceback:
                lines += [f"in the step {state.path}:", *state.traceback.splitlines()[1:-1]]
            break
    return [visible(line) for line in lines]


def error_text(error: Json) -> str:
    """`CardDeclined: no funds` of an encoded error."""
    if not isinstance(error, dict):
        return str(error)
    name = str(error.get("type", "Exception")).rpartition(":")[2]
    message = error.get("message")
    return f"{name}: {message}" if message else name


def legible(text: str) -> str:
    """A text of the program's, with what would steer a terminal made visible."""
    return "\n".join(visible(line) for line in text.split("\n"))


def _waits(engine: Engine) -> list[tuple[LocalRun, OperationState]]:
    return [
        (run, state)
        for run in engine.runs.values()
        if not run.ended.done()
        for state in run.journal.operations.values()
        if state.ended is None and state.kind in ("event", "sleep", "ask")
    ]


def _waiting_text(run: LocalRun, state: OperationState, program: Program) -> list[str]:
    place = f" at {state.site.file}:{state.site.line}" if state.site else ""
    due = run.journal.deadline(state)
    until = f" until {_moment(due)}" if due is not None else ""
    if state.kind == "sleep":
        return [f"run {run.id} sleeps{place}{until}; later: {typed()} resume {run.id}"]
    if state.kind == "ask":
        return [f"run {run.id} waits{place}{until} for an answer to `{state.name}`"]
    types = program.event_types().get(state.name, [None])
    with program.active():
        command = " ".join([typed(), "send", run.id, state.name, *sample(types[0])])
    return [
        f"run {run.id} waits{place} for the event `{state.name}`{until}; wake it with:",
        f"  {command}",
    ]


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))


def new_run_id(flow: str) -> str:
    """A run id that people can type."""
    return made_id(flow, os.urandom(4).hex())
