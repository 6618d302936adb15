"""Who gets what is new: runs by the alias of the machine, what comes in by the alias of the door.

A release has a version of the machine and, where something reaches the flow from outside, one of
the door. Both take the same share of a hundred: of new runs, and of webhooks, links and schedules.
A door starts runs on its own release, so the two agree whichever alias was asked.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from perdure_aws.cloudformation.flow import ALIAS
from perdure_aws.deploy.environment import Deployed, Environment, is_release
from perdure_aws.deploy.stacks import Stack

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient

__all__ = ["ALL_NEW", "all_to", "door_versions", "shares_for"]

ALL_NEW: Mapping[str, str] = {
    "Weight": "100",
    "StableWeight": "0",
    "StableVersion": "none",
    "StableDoor": "none",
    "StableDoorShare": "0",
}


def shares_for(
    environment: Environment, flow: str, stack: Stack | None, release: str, weight: int
) -> Mapping[str, str]:
    """Of a deploy: beside the newest, the version that gets most of the new runs now.

    `release`: the name that the content gives to what is deployed.
    """
    if weight == 100 or stack is None or "Version" not in stack.outputs:
        return ALL_NEW
    before = stack.parameters
    stable = stack.outputs["Version"]
    if is_release(before.get("Release", ""), release):
        stable = before.get("StableVersion", "none")  # deployed before: only the share moves
        if stable == "none":
            return ALL_NEW
    elif int(before.get("Weight", "100")) < 50 and before.get("StableVersion") != "none":
        stable = before["StableVersion"]
    return _shared(environment, Deployed(flow, stack), stable, weight)


def all_to(environment: Environment, one: Deployed, version: str) -> Mapping[str, str]:
    """Everything that is new to one version of the machine, and to the door of its release."""
    return ALL_NEW if version == one.newest else _shared(environment, one, version, 0)


def _shared(environment: Environment, one: Deployed, stable: str, weight: int) -> Mapping[str, str]:
    door = _door_of(environment, one, stable)
    share = (100 - weight) / 100 if door != "none" else 0
    return {
        "Weight": str(weight),
        "StableWeight": str(100 - weight),
        "StableVersion": stable,
        "StableDoor": door,
        "StableDoorShare": f"{share:g}",
    }


def _door_of(environment: Environment, one: Deployed, version: str) -> str:
    """The door's version of the release that a version of the machine is of; `none` without."""
    if not one.door:
        return "none"
    machines = environment.machines
    releases = {
        alias.rpartition(":")[2]
        for alias in machines.aliases(one.machine)
        if not alias.endswith(f":{ALIAS}") and machines.shares(alias)[0].version == version
    }
    found = door_versions(environment.account.functions, one)
    return max((n for n, release in found.items() if release in releases), key=int, default="none")


def door_versions(client: "LambdaClient", one: Deployed) -> Mapping[str, str]:
    """The release of each version of a flow's door, as its description says it."""
    function = one.door.split(":")[6]
    pages = client.get_paginator("list_versions_by_function").paginate(FunctionName=function)
    return {
        found.get("Version", ""): found.get("Description", "").rpartition(" ")[2]
        for page in pages
        for found in page["Versions"]
        if found.get("Version", "").isdigit()
    }
