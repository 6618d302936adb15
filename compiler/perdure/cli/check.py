"""`perdure check [FILE[:FLOW]...]`: everything the front end refuses, without any target."""

from pathlib import Path

import click

from perdure.cli import exits
from perdure.cli.against import against
from perdure.cli.flows import choose
from perdure.cli.output import emit_report, format_option, refused
from perdure.cli.streams import busy, many
from perdure.diagnostics import Report

__all__ = ["command"]


@click.command("check")
@click.argument("files", nargs=-1, metavar="[FILE[:FLOW]]...")
@click.option(
    "--against",
    "histories",
    multiple=True,
    metavar="HISTORY",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A stored history of FILE:FLOW on azure: would its run go on under this code?",
)
@format_option
def command(files: tuple[str, ...], histories: tuple[Path, ...], form: str) -> int:
    """Say everything that is wrong with flows; without FILE, with those of the project."""
    from perdure.driver import compile_flows

    report = Report()
    chosen = choose(files, report)
    if report.ok:
        with busy(f"checking {many(len(chosen.names), 'file')}"):
            compile_flows(chosen.names, (), chosen.workspace)
    emit_report(report, form, chosen.workspace.project.root)
    if report.ok and histories:
        return against(chosen.names, histories)
    return exits.DONE if report.ok else refused(report)
