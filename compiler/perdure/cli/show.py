"""`perdure show [RUN|last]`: what a run did, as a tree."""

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from perdure.cli import exits
from perdure.cli.environments import on_option
from perdure.cli.plain import plain
from perdure.cli.store import LAST, choose_run, open_store
from perdure.cli.streams import drawn, json_text, out, say
from perdure.store.protocol import RunRecord
from perdure.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from perdure.local.follow import Follower
    from perdure.local.journal import Journal
    from perdure.local.log import Entry

__all__ = ["command", "entry_line"]


@click.command("show")
@click.argument("run", default=LAST, metavar="[RUN|last]")
@click.option("--follow", is_flag=True, help="Go on with what happens, until the run ends.")
@click.option(
    "--json", "as_json", is_flag=True, help="For programs; with --follow a line for each entry."
)
@on_option
def command(run: str, follow: bool, as_json: bool, on: str | None) -> int:
    """Show what a run did: every operation, its attempts, outcome and place in the source."""
    from perdure.cli.histories import LocalHistory
    from perdure.cli.tree import draw, run_json
    from perdure.local.follow import Follower

    if on is not None:
        from perdure.cli.deployed import show_on

        return show_on(on, run, follow=follow, as_json=as_json)
    place = open_store(Path.cwd(), read=True)
    record = choose_run(place.store, run)
    if as_json and follow:
        _follow(place.store, record, Follower(place.store, record.run, past=True), as_json)
        return exits.DONE
    if as_json:
        out(json_text(run_json(LocalHistory(place.store), record.run)))
        return exits.DONE
    # Before the tree is drawn: what happens meanwhile is shown twice rather than never.
    follower = Follower(place.store, record.run)
    for line in draw(LocalHistory(place.store), record, time.time()):
        out(drawn(line, sys.stdout))
    if follow and record.end is None:
        _follow(place.store, record, follower, as_json)
    return exits.DONE


def _follow(store: SqliteStore, record: RunRecord, follower: "Follower", as_json: bool) -> None:
    """Print what happens as it does, in the run and its children, until the run ends."""
    from perdure.cli.histories import LocalHistory
    from perdure.cli.tree import draw
    from perdure.store.runs import find_run

    while True:
        now = find_run(store, record.run)
        for run, entry, journal in follower.news():
            if as_json:
                out(entry_line(run, entry))
            else:
                for text in _happened(run.removeprefix(record.run), entry, journal):
                    out(drawn(text, sys.stdout))
        if now.end is not None:
            if not as_json:
                out(drawn([*draw(LocalHistory(store), now, time.time())][-1], sys.stdout))
            return
        if store.is_copy:
            say(f"{store.path} cannot be written here: this is how it was when it was read")
            return
        time.sleep(0.1)


def entry_line(run: str, entry: "Entry") -> str:
    """An entry as one line of JSON."""
    line = {"run": run, "kind": entry.kind, "time": entry.time}
    return json.dumps({**line, **{name: plain(value) for name, value in entry.fields.items()}})


def _happened(child: str, entry: "Entry", journal: "Journal") -> list[str]:
    """Lines for an entry, if it is worth one: ends, failed attempts, waits, what was printed."""
    from perdure.cli.tree import error_text, log_line, operation_line

    path = str(entry.fields.get("path", ""))
    where = f"{child.removeprefix('/')}/" if child else ""
    state = journal.operations.get(path)
    if entry.kind == "log":
        return [log_line(record) for _, record in [*journal.logs.values()][-1:]]
    if state is None or state.kind == "timeout":
        return []
    if entry.kind == "failed":
        failure = state.failures[-1]
        return [f"  {where}{path}: attempt {failure.number}: {error_text(failure.error)}"]
    waits = entry.kind == "begin" and state.kind in ("event", "sleep", "ask")
    if waits or entry.kind in ("end", "interrupt"):
        return [where + operation_line(state)]
    return []
