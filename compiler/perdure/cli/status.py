"""`perdure status ENV`: what is deployed."""

import click

from perdure.cli.environments import answer, environment_argument, json_option, say

__all__ = ["command"]


@click.command("status")
@environment_argument
@json_option
def command(environment: str, as_json: bool) -> int:
    """Show what is deployed, where new runs start, and how many are under way on which version."""
    return answer(environment, lambda place, deployer: deployer.status(place, say), as_json)
