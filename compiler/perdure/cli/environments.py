"""What the verbs on environments share: the environment, progress, how an answer leaves."""

import json
from collections.abc import Callable
from pathlib import Path

import click

from perdure.cli import exits
from perdure.cli.streams import out, say
from perdure.deployment import (
    Answer,
    CloudRefused,
    Deployer,
    DeployError,
    Place,
    Runs,
    UnknownEnvironment,
    find_place,
    load_deployer,
)

__all__ = [
    "answer",
    "connected",
    "environment_argument",
    "json_option",
    "on_option",
    "open_environment",
    "say",
]

environment_argument = click.argument("environment", metavar="ENV")
json_option = click.option("--json", "as_json", is_flag=True, help="For programs.")
on_option = click.option("--on", metavar="ENV", help="In this deployed environment.")


def open_environment(name: str) -> tuple[Place, Deployer]:
    """The environment of that name, of the project of the working folder, and who deploys it."""
    try:
        place = find_place(Path.cwd(), name)
        return place, load_deployer(place.environment.target)
    except DeployError as error:
        raise click.UsageError(str(error)) from None


def connected(name: str) -> Runs:
    """The runs of a deployed environment."""
    place, deployer = open_environment(name)
    try:
        return deployer.connect(place)
    except CloudRefused:
        raise
    except DeployError as error:
        raise click.ClickException(str(error)) from None


def answer(name: str, verb: Callable[[Place, Deployer], Answer], as_json: bool) -> int:
    """Run a verb on an environment and print what it answers."""
    place, deployer = open_environment(name)
    try:
        found = verb(place, deployer)
    except UnknownEnvironment as error:
        raise click.UsageError(str(error)) from None
    except DeployError as error:
        if as_json:
            out(json.dumps({"version": 1, "error": str(error)}))
        say(f"error: {error}")
        return exits.ENVIRONMENT if isinstance(error, CloudRefused) else exits.REFUSED
    if as_json:
        out(json.dumps({"version": 1, **found.data}, indent=2, default=str))
    else:
        for line in found.lines:
            out(line)
    return exits.DONE if found.done else exits.REFUSED
