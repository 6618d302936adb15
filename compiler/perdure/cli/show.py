"""`perdure show [RUN|last]`: what a run did, as a tree."""

import json
import time
from pathlib import Path

import click

from perdure.cli import exits
from perdure.cli.store import LAST, choose_run, open_store
from perdure.store.protocol import RunRecord
from perdure.store.sqlite import SqliteStore

__all__ = ["command"]


@click.command("show")
@click.argument("run", default=LAST, metavar="[RUN|last]")
@click.option("--follow", is_flag=True, help="Go on showing what happens until the run ends.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(run: str, follow: bool, as_json: bool) -> int:
    """Show what a run did: every operation, its attempts, outcome and place in the source."""
    from perdure.cli.tree import draw, run_json

    place = open_store(Path.cwd())
    record = choose_run(place.store, run)
    if as_json:
        click.echo(json.dumps(run_json(place.store, record.run), indent=2, ensure_ascii=False))
        return exits.DONE
    for line in draw(place.store, record, time.time()):
        click.echo(line)
    if follow and record.end is None:
        _follow(place.store, record)
    return exits.DONE


def _follow(store: SqliteStore, record: RunRecord) -> None:
    """Print operations as they end, until the run does."""
    from perdure.cli.tree import draw, operation_line
    from perdure.local.journal import Journal
    from perdure.local.log import EventLog
    from perdure.store.runs import find_run

    log = EventLog(store)
    journal = Journal(record.run, log.read(record.run))
    shown = len(journal.ended)
    while True:
        now = find_run(store, record.run)
        for entry in log.read(record.run, journal.length):
            journal.apply(entry)
        for state in journal.ended[shown:]:
            click.echo(operation_line(state))
        shown = len(journal.ended)
        if now.end is not None:
            click.echo([*draw(store, now, time.time())][-1])
            return
        time.sleep(0.2)
