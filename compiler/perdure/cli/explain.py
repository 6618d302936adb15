"""`perdure explain FILE[:FLOW] --target T`: where each line runs, why, and what ways cost."""

from pathlib import Path

import click

from perdure.cli import exits
from perdure.cli.output import emit_report, format_option, open_workspace, refused
from perdure.cli.streams import colored, json_text, out
from perdure.diagnostics import Report

__all__ = ["command"]


@click.command("explain")
@click.argument("file", metavar="FILE[:FLOW]")
@click.option("--target", required=True, metavar="TARGET", help="The cloud: aws, gcp or azure.")
@click.option(
    "--prices",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Prices of yours, as TOML: [TARGET.UNIT] with dollars and per.",
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@format_option
def command(file: str, target: str, prices: Path | None, as_json: bool, form: str) -> int:
    """Say of each line of a flow where it runs on a target, and why, and what each way through
    costs.
    """
    import sys

    from perdure.backend import load_target, target_names
    from perdure.driver import (
        analyse,
        build_program,
        explain_program,
        find_flows,
        split_flow,
        which_flow,
    )
    from perdure.explain.prices import PricesError, with_prices
    from perdure.render.explanation import explanation_json, explanation_text

    backend = load_target(target)
    if backend is None:
        known = ", ".join(target_names())
        raise click.UsageError(f"there is no target `{target}`; there are {known}")
    name, report = split_flow(file), Report()
    workspace = open_workspace(name.path, report)
    flows = find_flows(workspace, name)
    if len(flows) > 1:
        which_flow(workspace.project, name.path, flows, report)
    analyses = [analyse(workspace, flow) for flow in flows if report.ok]
    program = build_program(analyses[0], report) if report.ok else None
    explanation = (
        None if program is None else explain_program(program, backend, workspace.project, report)
    )
    if program is None or explanation is None:
        emit_report(report, form, workspace.project.root)
        return refused(report)
    try:
        found = explanation if prices is None else with_prices(explanation, prices)
    except PricesError as error:
        raise click.UsageError(str(error)) from error
    if as_json:
        out(json_text(explanation_json(found)))
    else:
        out(explanation_text(found, program, color=colored(sys.stdout)), end="")
    return exits.DONE
