"""`perdure plan ENV`: what `deploy` would change."""

import click

from perdure.cli.environments import answer, environment_argument, json_option, say
from perdure.cli.fresh import check_fresh

__all__ = ["command"]


@click.command("plan")
@environment_argument
@json_option
def command(environment: str, as_json: bool) -> int:
    """Show what `deploy` would change: resources, and states with their lines."""
    check_fresh(environment)
    return answer(environment, lambda place, deployer: deployer.plan(place, say), as_json)
