"""`perdure show [RUN|last]`: what a run did, as a tree."""

import sys
import time
from pathlib import Path

import click

from perdure.cli import exits
from perdure.cli.environments import on_option
from perdure.cli.store import LAST, choose_run, open_store
from perdure.cli.streams import drawn, json_text, out
from perdure.store.protocol import RunRecord
from perdure.store.sqlite import SqliteStore

__all__ = ["command"]


@click.command("show")
@click.argument("run", default=LAST, metavar="[RUN|last]")
@click.option("--follow", is_flag=True, help="Go on showing what happens until the run ends.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@on_option
def command(run: str, follow: bool, as_json: bool, on: str | None) -> int:
    """Show what a run did: every operation, its attempts, outcome and place in the source."""
    from perdure.cli.histories import LocalHistory
    from perdure.cli.tree import draw, run_json

    if on is not None:
        from perdure.cli.deployed import show_on

        return show_on(on, run, follow=follow, as_json=as_json)
    place = open_store(Path.cwd())
    record = choose_run(place.store, run)
    if as_json:
        out(json_text(run_json(LocalHistory(place.store), record.run)))
        return exits.DONE
    for line in draw(LocalHistory(place.store), record, time.time()):
        out(drawn(line, sys.stdout))
    if follow and record.end is None:
        _follow(place.store, record)
    return exits.DONE


def _follow(store: SqliteStore, record: RunRecord) -> None:
    """Print operations as they end, until the run does."""
    from perdure.cli.histories import LocalHistory
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
            out(drawn(operation_line(state), sys.stdout))
        shown = len(journal.ended)
        if now.end is not None:
            out(drawn([*draw(LocalHistory(store), now, time.time())][-1], sys.stdout))
            return
        time.sleep(0.2)
