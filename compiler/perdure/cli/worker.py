"""`perdure worker`: drive whatever is due in the project's store, until stopped."""

import asyncio
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, final

import click

from perdure.cli import exits
from perdure.cli.stopping import stop_signals
from perdure.cli.store import Place, open_store
from perdure.cli.streams import OutputLost, out, results_apart, say
from perdure.local.engine import Listener

if TYPE_CHECKING:
    from perdure.local.engine import Engine
    from perdure.local.supervisor import Supervisor
    from perdure.runtime.engine import LogRecord
    from perdure.store.protocol import RunRecord
    from perdure.store.sqlite import SqliteStore

__all__ = ["command", "serve", "supervisor"]


@click.command("worker")
@click.option("--once", is_flag=True, help="Leave when nothing is due any more.")
@click.option(
    "--grace",
    type=click.FloatRange(0),
    default=10.0,
    show_default=True,
    help="Seconds for steps to end in.",
)
@click.option("--json", "as_json", is_flag=True, help="Say what happens as lines of JSON.")
@click.option("--program", hidden=True, help="Drive only the runs of this program.")
@click.option("--idle", type=float, hidden=True, help="Seconds without work to leave after.")
@click.option("--background", hidden=True, help="Leave when nothing is due by itself any more.")
def command(
    *,
    once: bool,
    grace: float,
    as_json: bool,
    program: str | None,
    idle: float | None,
    background: str | None,
) -> int:
    """Drive the runs of this project whenever they are due: started, woken, or at a time.

    Ctrl-C (or SIGTERM) lets the steps under way end for some seconds, then leaves; what is left
    goes on when a worker, or `perdure resume`, drives it again. Several workers may serve one
    store.
    """
    place = open_store(Path.cwd(), make=True)
    if program is not None:
        return _drive_one(place, program, idle=0.2 if once else idle, grace=grace, as_json=as_json)
    options = ["--grace", str(grace), *(["--json"] * as_json), *(["--once"] * once)]
    if background is not None:
        options += ["--idle", "5"]
    chief = supervisor(place.store, place.project.root, options, background)
    if not as_json:
        say(f"working on {place.store.path}; Ctrl-C stops")
    if background is not None:
        return serve(chief, grace, leave=chief.retire)
    return serve(chief, grace, leave=(lambda: not chief.has_work) if once else None)


def supervisor(
    store: "SqliteStore", root: Path, options: list[str], owner: str | None = None
) -> "Supervisor":
    """A supervisor whose processes are this command with `--program`."""
    from perdure.local.supervisor import Supervisor

    return Supervisor(
        store,
        lambda program: [
            *(sys.executable, "-m", "perdure", "worker", "--program", str(program)),
            *options,
        ],
        environment={**os.environ, "PERDURE_STORE": str(Path(store.path).absolute())},
        folder=str(root),
        say=say,
        owner=owner,
    )


def serve(
    chief: "Supervisor",
    grace: float,
    *,
    leave: Callable[[], bool] | None = None,
    each: Callable[[], None] | None = None,
) -> int:
    """Look after the store until it is to stop, or until `leave`; `each` at each look."""
    from perdure.local.engine import POLL

    stopped: list[int] = []
    before = {
        number: signal.signal(number, lambda got, _: stopped.append(got))
        for number in stop_signals()
    }
    try:
        chief.begin(time.time())
        while not stopped:
            chief.look(time.time())
            if each is not None:
                each()
            if leave is not None and leave():
                break
            time.sleep(POLL)
        chief.end(grace, hurry=lambda: len(stopped) > 1)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return exits.DONE


def _drive_one(place: Place, text: str, *, idle: float | None, grace: float, as_json: bool) -> int:
    """The process of one program."""
    from perdure.cli.drive import load_run
    from perdure.local.clock import SteadyClock
    from perdure.local.engine import Engine
    from perdure.local.loop import EngineLoop
    from perdure.local.wakes import Program, Wakes
    from perdure.local.worker import IDLE, Worker
    from perdure.store.runs import find_run

    store, identity = place.store, Program.read(text)
    due = Wakes(store).due(time.time(), identity, 1)
    if not due:
        return exits.DONE
    loaded = load_run(store, find_run(store, due[0]), place.project.root, quiet=True)
    if isinstance(loaded, int):
        return loaded
    engine = Engine(
        store,
        EngineLoop(),
        SteadyClock(),
        listener=_Lines(as_json),
        functions=loaded.functions,
        jitter=random.random,
    )
    worker = Worker(engine, loaded.flow, identity, idle=idle or IDLE, told=_fault)
    asyncio.set_event_loop(None)
    for number in stop_signals():
        engine.loop.add_signal_handler(number, worker.stop, grace)
    try:
        with loaded.active(), results_apart():
            worker.run()
    finally:
        _close(engine)
    return exits.DONE


def _close(engine: "Engine") -> None:
    failure = engine.failure
    engine.close()
    if failure is not None:
        raise failure


def _fault(run: str, error: BaseException) -> None:
    say(f"run {run} cannot go on: {type(error).__name__}: {error}")


@final
class _Lines(Listener):
    """A line for what flows print and for each run that ends."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._closed = False

    def _line(self, text: str) -> None:
        try:
            if not self._closed:
                out(text)
        except OutputLost:
            # Whoever listened has gone; the work goes on.
            self._closed = True

    def logged(self, run: str, record: "LogRecord") -> None:
        if self._as_json:
            self._line(json.dumps({"run": run, "level": record.level, "text": record.text}))
            return
        level = "" if record.level == "print" else f"{record.level.upper()} "
        for line in record.text.splitlines():
            self._line(f"[{run}] {level}{line}")

    def run_ended(self, record: "RunRecord") -> None:
        from perdure.cli.drive import error_text, legible

        if record.parent is not None or record.end is None:
            return
        status = record.end.status.value
        error = None if record.end.error is None else legible(error_text(record.end.error))
        if self._as_json:
            self._line(json.dumps({"run": record.run, "status": status, "error": error}))
        else:
            self._line(f"[{record.run}] {status}{f': {error}' if error else ''}")
