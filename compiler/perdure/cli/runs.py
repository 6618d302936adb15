"""`perdure runs`: the runs of this project's store, newest first."""

import json
import time
from pathlib import Path

import click

from perdure.cli import exits
from perdure.cli.store import open_store

__all__ = ["command"]


@click.command("runs")
@click.option("--all", "children", is_flag=True, help="Also child flows.")
@click.option("--limit", default=50, show_default=True, help="So many at most.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(children: bool, limit: int, as_json: bool) -> int:
    """List the runs, newest first."""
    from perdure.cli.tree import duration
    from perdure.store.match import live_waiters
    from perdure.store.runs import list_runs

    store = open_store(Path.cwd()).store
    records = [r for r in list_runs(store) if children or r.parent is None][:limit]
    rows: list[dict[str, object]] = []
    for record in records:
        waits = (
            []
            if record.end
            else [name for w in live_waiters(store, record.run) for name in w.names]
        )
        rows.append(
            {
                "run": record.run,
                "flow": record.flow,
                "status": record.status.value,
                "started": record.started,
                "ended": record.ended,
                "waits_for": waits,
            }
        )
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return exits.DONE
    width = max((len(record.run) for record in records), default=0)
    for record, row in zip(records, rows, strict=True):
        awaited = row["waits_for"]
        status = record.status.value
        if isinstance(awaited, list) and awaited:
            status = f"waits for {', '.join(map(str, awaited))}"
        age = duration(time.time() - record.started)
        click.echo(f"{record.run:<{width}}  {status:<22}  {record.flow}, started {age} ago")
    return exits.DONE
