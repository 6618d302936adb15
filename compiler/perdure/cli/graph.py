"""`perdure graph FILE[:FLOW] [--format mermaid|svg] [--output FILE]`: a flow as a picture."""

from pathlib import Path

import click

from perdure.cli import exits
from perdure.cli.output import emit_report, format_option, open_workspace
from perdure.cli.streams import out, say
from perdure.diagnostics import Report

__all__ = ["command"]


@click.command("graph")
@click.argument("file", metavar="FILE[:FLOW]")
@click.option(
    "--format",
    "drawing",
    type=click.Choice(("mermaid", "svg")),
    help="What to draw; without it what the name of --output says, else mermaid.",
)
@click.option("--output", type=click.Path(path_type=Path), help="Write to this file.")
@format_option
def command(file: str, drawing: str | None, output: Path | None, form: str) -> int:
    """Draw the operations of a flow and the control around them."""
    from perdure.driver import analyse, build_program, find_flows, split_flow, which_flow
    from perdure.render.graph.mermaid import mermaid
    from perdure.render.graph.outline import outline
    from perdure.render.graph.svg import svg

    wanted = drawing or _format_of(output)
    name = split_flow(file)
    report = Report()
    workspace = open_workspace(name.path, report)
    flows = find_flows(workspace, name)
    if len(flows) > 1:
        which_flow(workspace.project, name.path, flows, report)
    analyses = [analyse(workspace, flow) for flow in flows if report.ok]
    program = build_program(analyses[0], report) if report.ok else None
    if program is None:
        emit_report(report, form, workspace.project.root)
        return exits.REFUSED
    picture = svg(outline(program)) if wanted == "svg" else mermaid(outline(program))
    if output is None:
        out(picture, end="")
    else:
        output.write_text(picture, encoding="utf-8", newline="\n")
        say(f"{program.entry.qualname} -> {output}")
    return exits.DONE


def _format_of(output: Path | None) -> str:
    """What the name of a file says."""
    if output is None or output.suffix in (".mmd", ".md", ".mermaid", ""):
        return "mermaid"
    if output.suffix == ".svg":
        return "svg"
    raise click.UsageError(
        f"a graph is no `{output.suffix}`: name a file `.svg` or `.mmd`, or say --format"
    )
