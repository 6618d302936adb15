"""`perdure deploy ENV`: bring an environment to what was compiled."""

import click

from perdure.cli.environments import answer, environment_argument, json_option, say
from perdure.cli.fresh import check_fresh

__all__ = ["command"]


@click.command("deploy")
@environment_argument
@click.option("--weight", default=100, show_default=True, help="Percent of new runs that go there.")
@json_option
def command(environment: str, weight: int, as_json: bool) -> int:
    """Deploy what was compiled; runs under way end on their old version.

    Interrupted anywhere, it goes on when it is repeated.
    """
    check_fresh(environment)
    return answer(
        environment, lambda place, deployer: deployer.deploy(place, say, weight=weight), as_json
    )
