"""`perdure resume [RUN]`: go on with a run that was interrupted or left waiting."""

from pathlib import Path

import click

from perdure.cli.store import choose_run, open_store

__all__ = ["command"]


@click.command("resume")
@click.argument("run", required=False, metavar="[RUN]")
@click.option("--detach", is_flag=True, help="Leave when only waits are left, with exit code 4.")
def command(run: str | None, detach: bool) -> int:
    """Go on with a run until its end; without RUN, with the newest that has not ended."""
    from perdure.cli.drive import Driver, load_run, new_engine
    from perdure.store.runs import list_runs

    place = open_store(Path.cwd())
    if run is None:
        left = [r for r in list_runs(place.store) if r.end is None and r.parent is None]
        if not left:
            raise click.UsageError("every run has ended; `perdure runs` lists them")
        record = left[0]
    else:
        record = choose_run(place.store, run)
    if record.parent is not None and record.end is None:
        raise click.UsageError(f"`{record.run}` is a child: resume `{record.parent}`")
    program = load_run(place.store, record, place.project.root)
    if isinstance(program, int):
        return program
    return Driver(new_engine(place.store, program), program, detach=detach).drive(record)
