"""`perdure destroy ENV`: remove an environment."""

import click

from perdure.cli.environments import answer, environment_argument, json_option, say

__all__ = ["command"]


@click.command("destroy")
@environment_argument
@click.option("--flow", metavar="FLOW", help="This flow alone.")
@click.option("--with-runs", is_flag=True, help="Also if runs are under way: they are stopped.")
@click.option("--with-data", is_flag=True, help="Also if the store keeps runs: they are deleted.")
@json_option
def command(
    *, environment: str, flow: str | None, with_runs: bool, with_data: bool, as_json: bool
) -> int:
    """Remove what is deployed; runs under way and kept data only with the options that say so."""
    return answer(
        environment,
        lambda place, deployer: deployer.destroy(
            place, say, flow=flow, with_runs=with_runs, with_data=with_data
        ),
        as_json,
    )
