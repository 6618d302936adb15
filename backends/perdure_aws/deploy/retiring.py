"""Old releases that no run needs any more: their aliases and versions go, with the versions of
functions that only they called.

A machine has 100 aliases and 1,000 versions at most (limits.py). The newest releases stay, for
rollbacks; older ones stay while a run of theirs is under way on any machine of the flow, for it
may still start children, and while the alias `live` gives them new runs.
"""

import json
import re
from collections.abc import Iterable

from perdure_aws.cloudformation.flow import ALIAS
from perdure_aws.deploy.environment import Deployed, Environment
from perdure_aws.deploy.machines import Machines, number_of
from perdure_aws.deploy.shares import door_versions

__all__ = ["KEPT", "retire"]

FUNCTION_VERSION = re.compile(r"arn:[\w-]+:lambda:[\w-]+:\d+:function:[\w-]+:\d+")
KEPT = 20
"""Releases that stay whatever happens."""


def retire(environment: Environment, one: Deployed) -> int:
    """Remove the releases of a flow that nobody needs; how many they were."""
    machines = environment.machines
    named: dict[str, str] = json.loads(one.stack.outputs.get("Machines", "{}"))
    releases = {arn: _releases(machines, arn) for arn in named.values()}
    own = releases.get(one.machine, {})
    if len(own) <= KEPT:
        return 0
    newest = sorted(own, key=lambda name: number_of(own[name]), reverse=True)
    live = {share.version for share in machines.shares(one.alias)}
    needed = live | {version for arn in releases for _, version in machines.running(arn)}
    gone = [
        name
        for name in newest[KEPT:]
        if not {found[name] for found in releases.values() if name in found} & needed
    ]
    for name in gone:
        for arn, found in releases.items():
            if name in found:
                environment.say(f"{one.flow}: retire release {name}")
                machines.remove_alias(f"{arn}:{name}")
                if found[name] not in {v for n, v in found.items() if n not in gone}:
                    machines.remove_version(found[name])
    if gone:
        _retire_functions(environment, one, releases)
    return len(gone)


def _retire_functions(environment: Environment, one: Deployed, machines: Iterable[str]) -> None:
    """Remove the versions of functions that no version of a machine calls any more.

    What a machine's version calls stands in its definition; a door goes with its release; what
    else calls the newest (rules, permissions) names what the stack gives out.
    """
    definitions = [
        json.dumps(environment.machines.definition(version))
        for arn in machines
        for version in environment.machines.versions(arn)
    ]
    needed = {arn for text in definitions for arn in FUNCTION_VERSION.findall(text)}
    needed |= _doors(environment, one)
    newest = {text for text in one.stack.outputs.values() if FUNCTION_VERSION.fullmatch(text)}
    client = environment.account.functions
    for function in sorted(arn.split(":")[6] for arn in newest):
        pages = client.get_paginator("list_versions_by_function").paginate(FunctionName=function)
        for found in [found for page in pages for found in page["Versions"]]:
            arn, version = found.get("FunctionArn", ""), found.get("Version", "")
            if version != "$LATEST" and arn not in needed | newest:
                environment.say(f"{one.flow}: retire {arn.rpartition(':function:')[2]}")
                client.delete_function(FunctionName=function, Qualifier=version)


def _doors(environment: Environment, one: Deployed) -> set[str]:
    """The versions of the door whose release is still there."""
    if not one.door:
        return set()
    names = {alias.rpartition(":")[2] for alias in environment.machines.aliases(one.machine)}
    function = one.door.rpartition(":")[0]
    found = door_versions(environment.account.functions, one)
    return {f"{function}:{number}" for number, release in found.items() if release in names}


def _releases(machines: Machines, arn: str) -> dict[str, str]:
    """The version of each release of a machine, by the release's name."""
    found = {alias.rpartition(":")[2]: alias for alias in machines.aliases(arn)}
    return {
        name: machines.shares(alias)[0].version for name, alias in found.items() if name != ALIAS
    }
