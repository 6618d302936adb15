"""`perdure resume [RUN]`: go on with a run that was interrupted or left waiting."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from perdure.cli.environments import on_option
from perdure.cli.inject import inject_option
from perdure.cli.store import Place, choose_run, open_store
from perdure.cli.streams import say

if TYPE_CHECKING:
    from perdure.local.engine import Engine
    from perdure.local.program import Program
    from perdure.store.protocol import RunRecord
    from perdure.store.sqlite import SqliteStore

__all__ = ["command"]


@click.command("resume")
@click.argument("run", required=False, metavar="[RUN]")
@click.option("--detach", is_flag=True, help="Leave when only waits are left, with exit code 4.")
@click.option("--move", is_flag=True, help="Go over to the source as it is now, if it fits.")
@click.option("--old-source", "old", is_flag=True, help="Go on with the kept source, silently.")
@inject_option
@on_option
def command(
    *,
    run: str | None,
    detach: bool,
    move: bool,
    old: bool,
    inject: tuple[str, ...],
    on: str | None,
) -> int:
    """Go on with a run until its end; without RUN, with the newest that has not ended.

    A run goes on with the source it began with, which the store keeps. When files have changed
    since, this says where, and whether the history fits the new source: then --move goes over.
    In a deployed environment runs go on by themselves: there, who waits for an event that has
    come is woken once more, and this stays until the end.
    """
    if on is not None:
        if move or old or inject:
            raise click.UsageError("--move, --old-source and --inject are for runs of this machine")
        from perdure.cli.deployed import resume_on

        return resume_on(on, run, detach=detach)
    from perdure.cli.drive import Driver, load_run, new_engine
    from perdure.cli.move import explain_change

    place = open_store(Path.cwd())
    record = _chosen(place.store, run)
    if move and old:
        raise click.UsageError("give --move or --old-source, not both")
    if move and record.end is None:
        record, program, engine = _moved(place, record, inject)
    else:
        loaded = load_run(place.store, record, place.project.root, quiet=old)
        if isinstance(loaded, int):
            return loaded
        program = loaded
        if record.end is None and not old and program.project.root != place.project.root:
            explain_change(place, record, program)
        engine = new_engine(place.store, program, inject)
    return Driver(engine, program, detach=detach).drive(record)


def _chosen(store: "SqliteStore", run: str | None) -> "RunRecord":
    """The run of that name, or the newest that has not ended."""
    from perdure.store.runs import list_runs

    if run is None:
        left = [r for r in list_runs(store) if r.end is None and r.parent is None]
        if not left:
            raise click.UsageError("every run has ended; `perdure runs` lists them")
        return left[0]
    record = choose_run(store, run)
    if record.parent is not None and record.end is None:
        raise click.UsageError(f"`{record.run}` is a child: resume `{record.parent}`")
    return record


def _moved(
    place: Place, record: "RunRecord", inject: tuple[str, ...]
) -> "tuple[RunRecord, Program, Engine]":
    """Let a run go over to the source as it is now, and take its lease before anybody else."""
    from perdure.cli.drive import new_engine
    from perdure.cli.move import move_to, newest
    from perdure.store.runs import find_run

    program = newest(place, record)
    with place.store.transaction():
        # Read again: whoever drove it may have come further.
        before = find_run(place.store, record.run)
        moved = move_to(place, before, program)
        engine = new_engine(place.store, program, inject)
        engine.leases.hold(moved.run, time.time())
    if moved.versions != before.versions:
        say(f"run {moved.run} goes over to the new source")
    return moved, program, engine
