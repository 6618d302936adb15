"""`perdure retry RUN`: a run that failed goes on where it failed."""

import time
from pathlib import Path

import click

from perdure.cli.environments import on_option
from perdure.cli.inject import inject_option
from perdure.cli.store import choose_run, open_store
from perdure.cli.streams import say

__all__ = ["command"]


@click.command("retry")
@click.argument("run", default="last", metavar="[RUN|last]")
@click.option("--detach", is_flag=True, help="Leave when only waits are left, with exit code 4.")
@inject_option
@on_option
def command(run: str, detach: bool, inject: tuple[str, ...], on: str | None) -> int:
    """Do the operation again whose failure ended a run, and go on from there.

    Everything else that was recorded stays. Where the flow handled the failure and did more, fork
    the run instead. In a deployed environment no run can begin in its middle: --on says what to
    type for a new run with the same input.
    """
    if on is not None:
        from perdure.cli.deployed import refuse_middle

        raise refuse_middle(on, run, "retried")
    from perdure.cli.drive import Driver, load_run, new_engine
    from perdure.local.retry import CannotRetry, retry

    place = open_store(Path.cwd())
    record = choose_run(place.store, run)
    program = load_run(place.store, record, place.project.root)
    if isinstance(program, int):
        return program
    engine = new_engine(place.store, program, inject)
    try:
        with place.store.transaction():
            record, again = retry(place.store, record.run, now=time.time())
            engine.leases.hold(record.run, time.time())
    except CannotRetry as problem:
        engine.close()
        raise click.UsageError(str(problem)) from None
    say(f"run {record.run} goes on at {again}")
    return Driver(engine, program, detach=detach).drive(record)
