"""`perdure check FILE:FLOW --against HISTORY`: which runs under way go on under this code."""

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from perdure.backend import BUILT_IN
from perdure.cli import exits
from perdure.cli.streams import out
from perdure.driver import FlowName

__all__ = ["against"]


def against(names: Sequence[FlowName], histories: Sequence[Path]) -> int:
    """A line for each history: safe, or the line at which its run would leave it."""
    if len(names) != 1:
        raise click.UsageError("--against takes one flow: name it as FILE:FLOW")
    check = _checker()
    safe = True
    for history in histories:
        try:
            verdict = check(names[0].path, names[0].name, history.read_text(encoding="utf-8"))
        except LookupError as error:
            raise click.UsageError(str(error.args[0])) from None
        except ValueError as error:
            raise click.UsageError(f"`{history}` is no stored history: {error}") from None
        safe = safe and verdict.problem is None
        place = f"{verdict.site.file}:{verdict.site.line}: " if verdict.site else ""
        out(f"{place}run {verdict.run}: {verdict.problem or 'safe'}")
    return exits.DONE if safe else exits.REFUSED


def _checker() -> Callable[[Path, str | None, str], Any]:
    package = BUILT_IN["azure"].partition(":")[0]
    try:
        check: Callable[[Path, str | None, str], Any] = import_module(
            f"{package}.engine.against"
        ).check_run
    except ModuleNotFoundError as error:
        needs = "pip install 'perdure[azure-test]' (Python 3.13 or later)"
        raise click.UsageError(f"--against needs {error.name}: {needs}") from None
    return check
