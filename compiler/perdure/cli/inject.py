"""`--inject STEP=fail`: the option, for the commands that drive a run."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from perdure.cli.streams import say

if TYPE_CHECKING:
    from perdure.local.bodies import Bodies
    from perdure.local.program import Program

__all__ = ["inject_option", "injected", "say_unmet"]

_option = click.option(
    "--inject",
    multiple=True,
    metavar="STEP=FAULT",
    help="Break the next attempt of a step on purpose: `fail`, `fail:TimeoutError`, `delay:2s`,"
    " `twice`, `die`; `*3` at the end for three. STEP may be a path, or `*`.",
)


def inject_option[F: Callable[..., object]](command: F) -> F:
    """Add `--inject`."""
    return _option(command)


def injected(bodies: "Bodies", faults: tuple[str, ...], program: "Program") -> "Bodies":
    """The bodies with the faults in them, for steps of this program."""
    from perdure.local.inject import Injector, read_fault

    if not faults:
        return bodies
    try:
        return Injector(bodies, [read_fault(text, program.step_names) for text in faults])
    except ValueError as error:
        raise click.UsageError(f"--inject: {error}") from None


def say_unmet(bodies: "Bodies") -> None:
    """Say which faults no attempt has met: the flow went on as if they had not been asked for."""
    from perdure.local.inject import Injector

    if isinstance(bodies, Injector):
        for fault in bodies.unmet():
            say(f"warning: no attempt met `--inject {fault}`")
