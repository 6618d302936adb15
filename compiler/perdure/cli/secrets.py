"""`perdure secrets set|list|delete ENV`: secrets that flows read, by name; never their values."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from perdure.cli import exits
from perdure.cli.called import typed
from perdure.cli.environments import environment_argument, json_option, open_environment
from perdure.cli.streams import out, say
from perdure.deployment import CloudRefused, DeployError

if TYPE_CHECKING:
    from perdure.deployment import SecretStore

__all__ = ["command"]

LOCAL = "local"
"""This machine, where no environment has the name."""
LARGEST = 65_536
"""Bytes of a value: what the smallest of the clouds' stores takes."""


@click.group("secrets")
def command() -> None:
    """Set and delete secrets of an environment, and list those that flows read.

    ENV is an environment, or `local` for this machine (`.env`, or its keyring).
    """


@command.command("set")
@environment_argument
@click.argument("name", metavar="NAME")
@click.option("--keyring", is_flag=True, help="In this machine's keyring; ENV is `local`.")
@json_option
def set_secret(environment: str, name: str, keyring: bool, as_json: bool) -> int:
    """Set a secret: its value is asked for, or read from standard input.

    A value that is there is replaced; what runs uses the new one within minutes.
    """
    _check_name(name)
    store = _store(environment, keyring=keyring)
    readers = _readers() or {}
    value = _value(name, environment)
    try:
        new = store.put(name, value)
    except DeployError as error:
        return _failed(error, as_json)
    if as_json:
        out(json.dumps({"version": 1, "name": name, "environment": environment, "new": new}))
    else:
        out(f"{name} is {'set' if new else 'replaced'} in {environment}")
    if readers and name not in readers:
        say(f"no flow reads {name}{_nearest(name, readers)}")
    return exits.DONE


@command.command("delete")
@environment_argument
@click.argument("name", metavar="NAME")
@click.option("--keyring", is_flag=True, help="In this machine's keyring; ENV is `local`.")
@json_option
def delete_secret(environment: str, name: str, keyring: bool, as_json: bool) -> int:
    """Delete a secret; what runs may use it for minutes yet."""
    _check_name(name)
    store = _store(environment, keyring=keyring)
    readers = _readers() or {}
    try:
        was_there = store.remove(name)
        still = name in store.present((name,))
    except DeployError as error:
        return _failed(error, as_json)
    if not was_there:
        raise click.UsageError(f"{name} is not set in {environment}{_nearest(name, readers)}")
    if as_json:
        out(json.dumps({"version": 1, "name": name, "environment": environment, "deleted": True}))
    else:
        out(f"{name} is deleted in {environment}")
    if still:
        say(f"{name} is still found here: in the environment, `.env.local` or the keyring")
    elif name in readers:
        say(
            "\n".join(f"{flow} reads it, and fails until it is set again" for flow in readers[name])
        )
    return exits.DONE


@command.command("list")
@environment_argument
@json_option
def list_secrets(environment: str, as_json: bool) -> int:
    """List the secrets that flows read: whether each is set, and who reads it. Never values."""
    store = _store(environment)
    readers = _readers()
    if readers is None:
        return exits.REFUSED
    try:
        there = store.present(tuple(readers))
    except DeployError as error:
        return _failed(error, as_json)
    if as_json:
        rows = [
            {"name": name, "state": "present" if name in there else "missing", "flows": flows}
            for name, flows in readers.items()
        ]
        out(json.dumps({"version": 1, "environment": environment, "secrets": rows}, indent=2))
        return exits.DONE
    width = max(map(len, readers), default=0)
    for name, flows in readers.items():
        state = "present" if name in there else "missing"
        out(f"{name:<{width}}  {state}  read by {', '.join(flows)}")
    for name in readers:
        if name not in there:
            say(f"set it with: {typed()} secrets set {environment} {name}")
    if not readers:
        say("no flow of the project reads a secret")
    return exits.DONE


def _check_name(name: str) -> None:
    from perdure.secrets import secret
    from perdure.webhooks.links import LINK_KEY

    try:
        secret(name)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if name == LINK_KEY.name:
        raise click.UsageError(f"{name} is made where links are: by a deploy, or by `perdure dev`")


def _store(environment: str, *, keyring: bool = False) -> "SecretStore":
    from perdure.diagnostics import Report
    from perdure.local.dotenv import DotEnv, InKeyring
    from perdure.project import find_project

    project = find_project(Path.cwd(), Report())
    here = environment == LOCAL and LOCAL not in project.settings.environments
    if keyring and not here:
        raise click.UsageError("--keyring is of this machine: `perdure secrets set local NAME`")
    try:
        if here:
            return InKeyring(project.root) if keyring else DotEnv(project.root)
        place, deployer = open_environment(environment)
        return deployer.secrets(place)
    except CloudRefused:
        raise
    except DeployError as error:
        raise click.ClickException(str(error)) from None


def _value(name: str, environment: str) -> str:
    """What the secret is going to be. It never stands in a command line, where others see it."""
    if sys.stdin.isatty():
        asked: str = click.prompt(f"{name} in {environment}", hide_input=True, err=True)
        return asked
    given = sys.stdin.buffer.read(LARGEST + 1)
    if len(given) > LARGEST:
        raise click.UsageError(f"a secret has at most {LARGEST} bytes")
    try:
        value = given.decode("utf-8")
    except UnicodeDecodeError:
        raise click.UsageError("a secret is UTF-8 text") from None
    value = value.removesuffix("\n").removesuffix("\r")
    if not value:
        raise click.UsageError("an empty secret keeps nobody out: give its value on standard input")
    return value


def _readers() -> Mapping[str, list[str]] | None:
    """The flows that read each secret, by its name; None after their problems are written."""
    from perdure.cli.flows import choose
    from perdure.cli.output import emit_report
    from perdure.diagnostics import Report
    from perdure.driver import analyse, find_flows

    report = Report()
    chosen = choose((), report)
    found: dict[str, list[str]] = {}
    for name in chosen.names:
        for flow in find_flows(chosen.workspace, name):
            for secret in analyse(chosen.workspace, flow).secrets:
                found.setdefault(secret, []).append(flow.ref.qualname)
    if not report.ok:
        emit_report(report, "text", chosen.workspace.project.root)
        return None
    return dict(sorted(found.items()))


def _nearest(name: str, readers: Mapping[str, list[str]]) -> str:
    from perdure.diagnostics import nearest

    meant = nearest(name, readers)
    return f"; the nearest is `{meant}`" if meant else ""


def _failed(error: DeployError, as_json: bool) -> int:
    if as_json:
        out(json.dumps({"version": 1, "error": str(error)}))
    say(f"error: {error}")
    return exits.ENVIRONMENT if isinstance(error, CloudRefused) else exits.REFUSED
