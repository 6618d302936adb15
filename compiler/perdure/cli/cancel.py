"""`perdure cancel RUN [--now]`: CancelledError where the run waits; its cleanup runs."""

import time
from pathlib import Path

import click

from perdure.cli import exits
from perdure.cli.environments import on_option
from perdure.cli.store import choose_run, open_store
from perdure.cli.streams import say

__all__ = ["command"]


@click.command("cancel")
@click.argument("run", metavar="RUN|last")
@click.option("--now", "at_once", is_flag=True, help="Stop without running the flow's cleanup.")
@on_option
def command(run: str, at_once: bool, on: str | None) -> int:
    """Cancel a run: handlers and `finally` of the flow run first."""
    from perdure.cli.drive import Driver, load_run, new_engine
    from perdure.local.lease import Leases
    from perdure.local.wakes import root_of
    from perdure.local.writes import ask_to_cancel
    from perdure.store.protocol import Status
    from perdure.store.runs import find_run

    if on is not None:
        from perdure.cli.deployed import cancel_on

        return cancel_on(on, run, at_once=at_once)
    place = open_store(Path.cwd())
    record = choose_run(place.store, run)
    if record.end is not None:
        raise click.UsageError(f"run {record.run} has ended already: {record.end.status.value}")
    with place.store.transaction():
        ask_to_cancel(place.store, record.run, at_once=at_once)
    top = find_run(place.store, root_of(place.store, record.run))
    held = Leases(place.store, "cancel").driver(top.run, time.time())
    if held is not None:
        say(f"run {record.run} was asked to cancel; process {held.pid} drives it")
        return exits.DONE
    program = load_run(place.store, top, place.project.root)
    if isinstance(program, int):
        return program
    engine = new_engine(place.store, program)
    held = engine.leases.take(top.run, time.time())
    if held is not None:
        engine.close()
        say(f"run {record.run} was asked to cancel; process {held.pid} drives it")
        return exits.DONE
    code = Driver(engine, program, detach=True).drive(top)
    ended = find_run(place.store, record.run)
    return exits.DONE if ended.status is Status.CANCELLED else code
