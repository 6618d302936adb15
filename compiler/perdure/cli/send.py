"""`perdure send RUN EVENT key=value ...`: store an event, and drive the run on."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from perdure.cli import exits
from perdure.cli.arguments import parse_pairs, read_json, shortened
from perdure.cli.environments import on_option
from perdure.cli.store import choose_run, open_store
from perdure.cli.streams import say
from perdure.codec import UncodableError
from perdure.errors import InvalidInput

if TYPE_CHECKING:
    from perdure.codec.text import Json
    from perdure.local.program import Program
    from perdure.store.protocol import Event

__all__ = ["command"]


@click.command("send")
@click.argument("run", metavar="RUN|last")
@click.argument("event")
@click.argument("pairs", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--payload", metavar="JSON|@FILE|-", help="The whole payload as JSON.")
@click.option("--no-drive", is_flag=True, help="Only store the event.")
@click.option("--event-id", metavar="ID", help="A second event with this id is the same event.")
@on_option
def command(
    *,
    run: str,
    event: str,
    pairs: tuple[str, ...],
    payload: str | None,
    no_drive: bool,
    event_id: str | None,
    on: str | None,
) -> int:
    """Send an event to a run; if no process drives it, drive it to its end or next wait."""
    from perdure.cli.drive import Driver, load_run, new_engine
    from perdure.local.wakes import root_of
    from perdure.store.runs import find_run

    if payload is not None and pairs:
        raise click.UsageError("give the payload as key=value or as --payload, not both")
    if on is not None:
        return _on(on, run, event, _Said(payload, pairs), event_id)
    place = open_store(Path.cwd())
    record = choose_run(place.store, run)
    if record.end is not None:
        raise click.UsageError(f"run {record.run} has ended already: {record.end.status.value}")
    program = load_run(place.store, record, place.project.root)
    if isinstance(program, int):
        return program
    with program.active():
        encoded = _payload(program, event, payload, pairs)
    top = find_run(place.store, root_of(place.store, record.run))
    if top.run != record.run:
        program = load_run(place.store, top, place.project.root, quiet=True)
        if isinstance(program, int):
            return program
    engine = new_engine(place.store, program)
    now = time.time()
    held = engine.leases.driver(top.run, now)
    if held is None and not no_drive:
        held = engine.leases.take(top.run, now)
    stored = engine.put_event(record.run, event, encoded, id=event_id or os.urandom(16).hex())
    if event_id is not None:
        _say_repeated(stored, event, encoded, now)
    if held is not None or no_drive:
        engine.close()
        who = f"; process {held.pid} drives the run" if held is not None else ""
        say(f"`{event}` is stored for run {record.run}{who}")
        return exits.DONE
    return Driver(engine, program, detach=True).drive(top)


class _Said(NamedTuple):
    """The payload as it was typed."""

    payload: str | None
    pairs: tuple[str, ...]


def _on(environment: str, run: str, event: str, said: _Said, event_id: str | None) -> int:
    """The same in a deployed environment, whose machines drive their runs."""
    from perdure.cli.deployed import choose_on, program_of, send_on
    from perdure.cli.environments import connected

    runs = connected(environment)
    record = choose_on(environment, runs, run)
    if record.end is not None:
        raise click.UsageError(f"run {record.run} has ended already: {record.end.status.value}")
    program = program_of(environment, runs, record)
    with program.active():
        encoded = _payload(program, event, said.payload, said.pairs)
    return send_on(runs, record, event, encoded, event_id or os.urandom(16).hex())


def _say_repeated(stored: "Event", name: str, payload: "Json", now: float) -> None:
    """Say that an event with this id is there already; another one of the id is a wrong call."""
    from perdure.store.runs import digest_of

    if stored.name != name or digest_of(stored.payload) != digest_of(payload):
        what = "with another payload" if stored.name == name else f"as `{stored.name}`"
        raise click.UsageError(
            f"an event with the id `{stored.id}` is there already, {what}; nothing was sent: "
            "give another --event-id, or none"
        )
    if stored.stored < now:
        say(f"`{name}` with the id `{stored.id}` is there already")


def _payload(program: "Program", event: str, payload: str | None, pairs: Sequence[str]) -> "Json":
    """The payload, as the first declared type that it fits."""
    from perdure.cli.samples import sample
    from perdure.local.payloads import fitting_payload

    whole = None if payload is None else read_json(payload, "--payload")

    def payload_as(declared: object) -> object:
        return whole if payload is not None else _of_pairs(event, pairs, declared)

    try:
        return fitting_payload(program, event, payload_as)
    except (InvalidInput, UncodableError) as error:
        types = program.event_types().get(event, [None])
        such = " ".join(sample(types[0]))
        hint = f"; such as `{such}`" if such else ""
        raise click.UsageError(f"{shortened(error)}{hint}") from None


def _of_pairs(event: str, pairs: Sequence[str], declared: object) -> object:
    """What `key=value ...` means for an event of this type."""
    from perdure.cli.samples import fields_by_name, fits, sample, shell
    from perdure.codec.descriptors import descriptor, spell

    if declared is None:
        return parse_pairs(pairs, {}) if pairs else None
    kind = descriptor(declared)
    fields = fields_by_name(kind)
    bare = next((text for text in pairs if "=" not in text), None)
    if bare is not None and not fields:
        such = f"--payload {shell(bare)}" if fits(bare, kind) else " ".join(sample(declared))
        raise click.UsageError(
            f"`{bare}` is no `key=value`; the payload of `{event}` is {spell(kind)}: write `{such}`"
        )
    if not pairs:
        return {} if fields else None
    return parse_pairs(pairs, fields)
