"""`perdure send RUN EVENT key=value ...`: store an event, and drive the run on."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from perdure.cli import exits
from perdure.cli.arguments import fields_of, parse_pairs, read_json, shortened
from perdure.cli.store import choose_run, open_store
from perdure.cli.streams import say
from perdure.codec import UncodableError
from perdure.errors import InvalidInput

if TYPE_CHECKING:
    from perdure.codec.text import Json
    from perdure.local.program import Program

__all__ = ["command"]


@click.command("send")
@click.argument("run", metavar="RUN|last")
@click.argument("event")
@click.argument("pairs", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--payload", metavar="JSON|@FILE|-", help="The whole payload as JSON.")
@click.option("--no-drive", is_flag=True, help="Only store the event.")
@click.option("--event-id", metavar="ID", help="A second event with this id is the same event.")
def command(
    *,
    run: str,
    event: str,
    pairs: tuple[str, ...],
    payload: str | None,
    no_drive: bool,
    event_id: str | None,
) -> int:
    """Send an event to a run; if no process drives it, drive it to its end or next wait."""
    from perdure.cli.drive import Driver, load_run, new_engine
    from perdure.local.lease import Leases
    from perdure.store.runs import find_run

    place = open_store(Path.cwd())
    record = choose_run(place.store, run)
    if record.end is not None:
        raise click.UsageError(f"run {record.run} has ended already: {record.end.status.value}")
    program = load_run(place.store, record, place.project.root)
    if isinstance(program, int):
        return program
    if payload is not None and pairs:
        raise click.UsageError("give the payload as key=value or as --payload, not both")
    with program.active():
        encoded = _payload(program, event, payload, pairs)
    held = Leases(place.store, "send").holder(record.run, time.time())
    engine = new_engine(place.store, program)
    engine.put_event(record.run, event, encoded, id=event_id or os.urandom(16).hex())
    if held is not None or no_drive:
        engine.close()
        who = f"; process {held.pid} drives the run" if held is not None else ""
        say(f"`{event}` is stored for run {record.run}{who}")
        return exits.DONE
    return Driver(engine, program, detach=True).drive(find_run(place.store, record.run))


def _payload(program: "Program", event: str, payload: str | None, pairs: Sequence[str]) -> "Json":
    """The payload, as the first declared type that it fits."""
    from perdure.local.payloads import fitting_payload

    def payload_as(declared: object) -> object:
        if payload is not None:
            return read_json(payload, "--payload")
        if pairs:
            return parse_pairs(pairs, fields_of(declared))
        return None if not fields_of(declared) else {}

    try:
        return fitting_payload(program, event, payload_as)
    except (InvalidInput, UncodableError) as error:
        raise click.UsageError(shortened(error)) from None
