"""Old releases that no run needs any more: their aliases and versions go.

A machine has 100 aliases and 1,000 versions at most (limits.py). The newest releases stay, for
rollbacks; older ones stay while a run of theirs is under way on any machine of the flow, for it
may still start children, and while the alias `live` gives them new runs.
"""

import json

from perdure_aws.cloudformation.flow import ALIAS
from perdure_aws.deploy.environment import Deployed, Environment
from perdure_aws.deploy.machines import Machines, number_of

__all__ = ["KEPT", "retire"]

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
    return len(gone)


def _releases(machines: Machines, arn: str) -> dict[str, str]:
    """The version of each release of a machine, by the release's name."""
    found = {alias.rpartition(":")[2]: alias for alias in machines.aliases(arn)}
    return {
        name: machines.shares(alias)[0].version for name, alias in found.items() if name != ALIAS
    }
