"""`perdure ir FILE[:FLOW] [--after PASS]`: the program as the compiler sees it after a pass."""

import click

from perdure.cli import exits
from perdure.cli.output import emit_report, format_option, open_workspace, refused
from perdure.cli.streams import out
from perdure.diagnostics import Report

__all__ = ["command"]


@click.command("ir")
@click.argument("file", metavar="FILE[:FLOW]")
@click.option("--after", metavar="PASS", help="Stop after this pass; the last of the Flow IR.")
@format_option
def command(file: str, after: str | None, form: str) -> int:
    """Print what the compiler makes of a flow."""
    from perdure.driver import find_flows, print_ir, split_flow, stages

    name = split_flow(file)
    if after is not None and after not in stages():
        raise click.UsageError(f"there is no pass `{after}`; there are {', '.join(stages())}")
    report = Report()
    workspace = open_workspace(name.path, report)
    printed = [print_ir(workspace, ref, after) for ref in find_flows(workspace, name)]
    if not report.ok:
        emit_report(report, form, workspace.project.root)
        return refused(report)
    out("\n".join(printed))
    return exits.DONE
