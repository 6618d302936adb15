"""`perdure runs`: the runs of this project's store, newest first."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, final

import click

from perdure.cli import exits
from perdure.cli.environments import connected, on_option
from perdure.cli.store import open_store
from perdure.cli.streams import json_text, out

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perdure.store.protocol import RunStore

__all__ = ["command"]

STARTING = "starting"
"""Of a run of an environment that was asked for, and of which nothing has run yet."""


@final
class _Row(NamedTuple):
    """A run as it is listed."""

    run: str
    flow: str
    status: str
    started: float
    ended: float | None = None
    waits_for: tuple[str, ...] = ()


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

    store = open_store(Path.cwd(), read=True).store if on is None else connected(on).store
    rows = [*_claimed(store, limit, children=children)]
    if on is not None:
        rows = sorted([*_starting(store, limit), *rows], key=lambda row: -row.started)[:limit]
    if as_json:
        out(json_text([{**row._asdict(), "waits_for": [*row.waits_for]} for row in rows]))
        return exits.DONE
    width = max((len(row.run) for row in rows), default=0)
    for row in rows:
        status = f"waits for {', '.join(row.waits_for)}" if row.waits_for else row.status
        age = duration(time.time() - row.started)
        out(f"{row.run:<{width}}  {status:<22}  {row.flow}, started {age} ago")
    return exits.DONE


def _claimed(store: "RunStore", limit: int, *, children: bool) -> "Iterator[_Row]":
    from perdure.store.match import live_waiters
    from perdure.store.runs import list_runs

    for record in [r for r in list_runs(store) if children or r.parent is None][:limit]:
        waiters = live_waiters(store, record.run) if record.end is None else ()
        names = tuple(name for waiter in waiters for name in waiter.names)
        yield _Row(
            record.run, record.flow, record.status.value, record.started, record.ended, names
        )


def _starting(store: "RunStore", limit: int) -> "Iterator[_Row]":
    from perdure.store.starts import noted_starts

    for one in noted_starts(store, limit):
        yield _Row(one.run, one.flow, STARTING, one.noted)
