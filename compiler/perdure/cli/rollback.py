"""`perdure rollback ENV`: new runs start on an older version again."""

import click

from perdure.cli.environments import answer, environment_argument, json_option, say

__all__ = ["command"]


@click.command("rollback")
@environment_argument
@click.option("--flow", metavar="FLOW", help="Of this flow alone.")
@click.option("--to", type=int, metavar="N", help="To this version, instead of the one before.")
@json_option
def command(environment: str, flow: str | None, to: int | None, as_json: bool) -> int:
    """Start new runs on the version before the newest; `deploy` goes forward again."""
    return answer(
        environment,
        lambda place, deployer: deployer.rollback(place, say, flow=flow, to=to),
        as_json,
    )
