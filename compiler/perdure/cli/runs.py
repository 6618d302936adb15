"""`perdure runs`: the runs of this project's store, newest first."""

import time
from pathlib import Path

import click

from perdure.cli import exits
from perdure.cli.environments import connected, on_option
from perdure.cli.store import open_store
from perdure.cli.streams import json_text, out

__all__ = ["command"]


@click.command("runs")
@click.option("--all", "children", is_flag=True, help="Also child flows.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=50, show_default=True, help="So many at most."
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@on_option
def command(children: bool, limit: int, as_json: bool, on: str | None) -> int:
    """List the runs, newest first."""
    from perdure.cli.tree import duration
    from perdure.store.match import live_waiters
    from perdure.store.runs import list_runs

    store = open_store(Path.cwd(), read=True).store if on is None else connected(on).store
    records = [r for r in list_runs(store) if children or r.parent is None][:limit]
    waits = {
        record.run: [name for waiter in live_waiters(store, record.run) for name in waiter.names]
        if record.end is None
        else []
        for record in records
    }
    if as_json:
        rows = [
            {
                "run": record.run,
                "flow": record.flow,
                "status": record.status.value,
                "started": record.started,
                "ended": record.ended,
                "waits_for": waits[record.run],
            }
            for record in records
        ]
        out(json_text(rows))
        return exits.DONE
    width = max((len(record.run) for record in records), default=0)
    for record in records:
        awaited = waits[record.run]
        status = f"waits for {', '.join(awaited)}" if awaited else record.status.value
        age = duration(time.time() - record.started)
        out(f"{record.run:<{width}}  {status:<22}  {record.flow}, started {age} ago")
    return exits.DONE
