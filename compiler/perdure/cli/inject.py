"""`--inject STEP=fail`: the option, for the commands that drive a run."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from perdure.local.bodies import Bodies

__all__ = ["inject_option", "injected"]

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


def injected(bodies: "Bodies", faults: tuple[str, ...]) -> "Bodies":
    """The bodies with the faults in them."""
    from perdure.local.inject import Injector, read_fault

    if not faults:
        return bodies
    try:
        return Injector(bodies, [read_fault(text) for text in faults])
    except ValueError as error:
        raise click.UsageError(f"--inject: {error}") from None
