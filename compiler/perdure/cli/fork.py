"""`perdure fork RUN --at STEP`: a new run that begins where another one was."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from perdure.cli.arguments import parse_pairs, read_json
from perdure.cli.environments import on_option
from perdure.cli.inject import inject_option
from perdure.cli.store import choose_run, open_store
from perdure.cli.streams import say

if TYPE_CHECKING:
    from perdure.codec.text import Json
    from perdure.local.program import Program
    from perdure.store.protocol import RunRecord

__all__ = ["command"]


@click.command("fork")
@click.argument("run", metavar="RUN|last")
@click.argument("pairs", nargs=-1, metavar="[NAME=VALUE]...")
@click.option("--at", "place", required=True, metavar="STEP", help="As `perdure show` names it.")
@click.option("--input", "whole", metavar="JSON|@FILE|-", help="Another input, whole.")
@click.option("--id", "identity", metavar="ID", help="The new run's id.")
@click.option("--move", is_flag=True, help="With the source as it is now, if the history fits.")
@click.option("--detach", is_flag=True, help="Leave when only waits are left, with exit code 4.")
@inject_option
@on_option
def command(
    *,
    run: str,
    pairs: tuple[str, ...],
    place: str,
    whole: str | None,
    identity: str | None,
    move: bool,
    detach: bool,
    inject: tuple[str, ...],
    on: str | None,
) -> int:
    """Begin a new run where another one came to the operation STEP, and drive it.

    What was recorded before is kept. NAME=VALUE changes parameters of the input, for what comes
    from there on; the run that is forked stays as it is. In a deployed environment no run can
    begin in its middle: --on says what to type for a new run with the same input.
    """
    if on is not None:
        from perdure.cli.deployed import refuse_middle

        raise refuse_middle(on, run, "forked")
    from perdure.cli.drive import Driver, load_run, new_engine, new_run_id
    from perdure.cli.move import move_to, newest
    from perdure.cli.run import check_identity
    from perdure.local.fork import CannotFork, fork

    opened = open_store(Path.cwd())
    record = choose_run(opened.store, run)
    if identity is not None:
        check_identity(identity)
    program = load_run(opened.store, record, opened.project.root, quiet=move)
    if isinstance(program, int):
        return program
    given = _given(program, record, whole, pairs)
    name = identity or new_run_id(program.flow.name)
    now = newest(opened, record) if move else None
    try:
        # What does not fit, or is a wrong call, leaves no new run; and no worker is first.
        with opened.store.transaction():
            made = fork(opened.store, record.run, place, name, now=time.time(), given=given)
            if now is not None:
                made, program = move_to(opened, made, now), now
            engine = new_engine(opened.store, program, inject)
            engine.leases.hold(made.run, time.time())
    except CannotFork as problem:
        raise click.UsageError(str(problem)) from None
    say(f"run {made.run}, from {record.run} at {place}")
    if made.versions != record.versions:
        say(f"run {made.run} goes over to the new source")
    return Driver(engine, program, detach=detach).drive(made)


def _given(
    program: "Program", record: "RunRecord", whole: str | None, pairs: tuple[str, ...]
) -> "dict[str, Json] | None":
    """The new run's input where it is another: the old one with what is given."""
    from perdure.cli.run import types_of
    from perdure.codec import decode_slots
    from perdure.errors import InvalidInput
    from perdure.runtime.values import encode_input

    if not pairs and whole is None:
        return None
    with program.active():
        values: dict[str, object] = {}
        if whole is None and isinstance(record.input, Mapping):
            values = decode_slots(dict(record.input), functions=program.functions)
        data: object = {} if whole is None else read_json(whole, "--input")
        if not isinstance(data, dict):
            raise click.UsageError("--input is a JSON object, keyed by parameter name")
        values |= data
        values |= parse_pairs(pairs, types_of(program.flow))
        try:
            return encode_input(program.flow, values)
        except InvalidInput as error:
            raise click.UsageError(f"the input does not fit: {error}") from None
