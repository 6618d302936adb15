"""`perdure package ENV`: the zips that are deployed, with the dependencies that uv.lock pins."""

import click

from perdure.cli.environments import answer, environment_argument, json_option, say
from perdure.cli.fresh import check_fresh

__all__ = ["command"]


@click.command("package")
@environment_argument
@json_option
def command(environment: str, as_json: bool) -> int:
    """Build what is deployed: compiled flows with locked dependencies, for the cloud's platform."""
    check_fresh(environment)
    return answer(environment, lambda place, deployer: deployer.package(place, say), as_json)
