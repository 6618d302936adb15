"""What commands share: their options, and how diagnostics leave the process.

Diagnostics for people go to standard error; what other programs read goes to standard output.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from perdure import rules
from perdure.cli import exits
from perdure.cli.streams import colored, out, say
from perdure.diagnostics import Report
from perdure.render import FORMATS, render

if TYPE_CHECKING:
    from perdure.frontend.check import Workspace

__all__ = [
    "check_file",
    "emit_report",
    "format_option",
    "open_workspace",
    "refused",
    "relative_place",
]

output_format = click.option(
    "--output-format",
    "form",
    type=click.Choice(FORMATS),
    default="text",
    help="How diagnostics are written.",
)


def format_option[F: Callable[..., object]](command: F) -> F:
    """Add `--output-format text|json|sarif|github`."""
    return output_format(command)


def emit_report(report: Report, form: str, root: Path) -> None:
    """Write all diagnostics; with text, a line that counts them."""
    text = render(report, form, place=relative_place(root), color=colored(sys.stderr))
    if form != "text":
        out(text, end="")
    elif not report.ok:
        count = len(report.diagnostics)
        say(text, end="")
        say(f"{count} problem{'s' if count != 1 else ''} found")


def refused(report: Report) -> int:
    """The exit code for a report with problems: a flow that is not there was called wrongly."""
    wrong = any(found.rule is rules.UNKNOWN_FLOW for found in report.diagnostics)
    return exits.WRONG_CALL if wrong else exits.REFUSED


def relative_place(root: Path) -> Callable[[str], str]:
    """Files as they are reached from the current folder, so that editors can open them."""
    here = Path.cwd()
    if here == root:
        return _same

    def place(file: str) -> str:
        return Path(os.path.relpath(root / file, here)).as_posix()

    return place


def open_workspace(path: Path, report: Report) -> "Workspace":
    """The project of a path; a path that does not exist is a wrong call."""
    from perdure.driver import open_project

    _check_exists(path)
    return open_project(path, report)


def check_file(path: Path) -> None:
    """Where one file is meant, another thing is a wrong call."""
    _check_exists(path)
    if path.is_dir():
        raise click.UsageError(
            f"`{path}` is a folder; name a file in it, and its flow if it has "
            f"several: `{path / 'FILE.py'}:FLOW`"
        )


def _check_exists(path: Path) -> None:
    if not path.exists():
        raise click.UsageError(f"there is no file `{path}`{_nearest_file(path)}")


def _nearest_file(path: Path) -> str:
    from perdure.diagnostics import nearest

    folder = path.parent
    names = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
    meant = nearest(path.name, names)
    return f"; the nearest is `{folder / meant}`" if meant else ""


def _same(file: str) -> str:
    return file
