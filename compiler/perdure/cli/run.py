"""`perdure run FILE[:FLOW] name=value ...`: run a flow here until its end."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, get_type_hints

import click

from perdure.cli.arguments import parse_pairs, read_json, shortened
from perdure.cli.environments import on_option
from perdure.cli.inject import inject_option
from perdure.cli.output import check_file
from perdure.cli.store import open_store
from perdure.cli.streams import say
from perdure.codec import UncodableError
from perdure.errors import InvalidInput, RunConflict

if TYPE_CHECKING:
    from perdure.cli.store import Place
    from perdure.codec.descriptors import Descriptor
    from perdure.language import Flow
    from perdure.local.engine import Engine, Start
    from perdure.local.program import Program

__all__ = ["check_identity", "command", "types_of"]


@click.command("run")
@click.argument("name", metavar="FILE[:FLOW]")
@click.argument("pairs", nargs=-1, metavar="[NAME=VALUE]...")
@click.option("--input", "whole", metavar="JSON|@FILE|-", help="The whole input as JSON.")
@click.option("--id", "identity", metavar="ID", help="The run's id: makes the start idempotent.")
@click.option("--detach", is_flag=True, help="Leave when only waits are left, with exit code 4.")
@on_option
@inject_option
def command(
    *,
    name: str,
    pairs: tuple[str, ...],
    whole: str | None,
    identity: str | None,
    detach: bool,
    on: str | None,
    inject: tuple[str, ...],
) -> int:
    """Run a flow on this machine until its end; Ctrl-C leaves it resumable."""
    from perdure.cli.drive import load_file, new_engine, new_run_id
    from perdure.driver import split_flow
    from perdure.local.engine import Start
    from perdure.runtime.values import encode_input

    if identity is not None:
        check_identity(identity)
    flow_name = split_flow(name)
    check_file(flow_name.path)
    program = load_file(flow_name)
    if isinstance(program, int):
        return program
    with program.active():
        values = _input(whole, pairs, types_of(program.flow))
        try:
            arguments = encode_input(program.flow, values)
        except (InvalidInput, UncodableError) as error:
            raise click.UsageError(f"the input does not fit: {shortened(error)}") from None
    if on is not None:
        from perdure.cli.deployed import run_on

        run = identity or new_run_id(program.flow.name)
        return run_on(on, program, arguments, run, detach=detach)
    place = open_store(flow_name.path.absolute(), make=True)
    engine = new_engine(place.store, program, inject)
    run = identity or new_run_id(program.flow.name)
    start = Start(program.flow, arguments, program.versions(place.store), run, os.urandom(16).hex())
    return _driven(place, engine, program, start, detach=detach)


def _driven(
    place: "Place", engine: "Engine", program: "Program", start: "Start", *, detach: bool
) -> int:
    """Claim the run, and drive it with the source it began with."""
    from perdure.cli.drive import Driver, interrupted, load_run

    try:
        record = engine.claim(start, hold=True)
    except RunConflict as conflict:
        raise click.UsageError(f"{conflict}; give another --id") from None
    try:
        if record.seed == start.seed:
            say(f"run {record.run}")
        else:
            say(f"run {record.run} exists already")
            if record.versions.source != start.versions.source and record.end is None:
                loaded = load_run(place.store, record, place.project.root)
                if isinstance(loaded, int):
                    return loaded
                program, engine.functions = loaded, loaded.functions
        return Driver(engine, program, detach=detach).drive(record)
    except KeyboardInterrupt:
        return interrupted(record.run)


def check_identity(identity: str) -> None:
    """A run id that people can type, else a wrong call."""
    from perdure.run_ids import check_id

    try:
        check_id(identity)
    except ValueError as error:
        raise click.UsageError(f"{error}, as in `--id order-17`") from None


def _input(
    whole: str | None, pairs: tuple[str, ...], declared: "Mapping[str, Descriptor | None]"
) -> dict[str, object]:
    values: dict[str, object] = {}
    if whole is not None:
        data = read_json(whole, "--input")
        if not isinstance(data, dict):
            raise click.UsageError("--input is a JSON object, keyed by parameter name")
        values |= data
    return values | parse_pairs(pairs, declared)


def types_of(flow: "Flow[..., object]") -> "dict[str, Descriptor | None]":
    """The declared types of a flow's parameters."""
    from perdure.codec.descriptors import descriptor

    try:
        hints: dict[str, object] = get_type_hints(flow.__wrapped__, include_extras=True)
    except (NameError, TypeError):
        hints = {}
    return {
        name: descriptor(hints[name]) if name in hints else None
        for name in flow.signature.parameters
    }
