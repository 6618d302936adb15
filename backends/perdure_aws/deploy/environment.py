"""An environment in the cloud, found by its stacks: the store's, and one for each flow."""

import json
from collections.abc import Mapping
from functools import cached_property
from hashlib import sha256
from itertools import chain, count
from typing import NamedTuple, final

from botocore.exceptions import ClientError

from perdure.codec import Json
from perdure.deploying.packages import Package
from perdure.deployment import DeployError, Place, Say
from perdure_aws.cloudformation.door import DOOR
from perdure_aws.cloudformation.flow import ALIAS
from perdure_aws.deploy.account import Account, code_of
from perdure_aws.deploy.bucket import Bucket
from perdure_aws.deploy.machines import Machines
from perdure_aws.deploy.names import TAG_FLOW, secrets_prefix, store_stack, tags
from perdure_aws.deploy.releases import Release
from perdure_aws.deploy.stacks import Stack, Stacks
from perdure_aws.dynamodb import DynamoStore

__all__ = ["Deployed", "Environment", "is_release", "parameters", "release_of"]


@final
class Deployed(NamedTuple):
    """A flow that is deployed."""

    flow: str
    stack: Stack

    @property
    def machine(self) -> str:
        """The ARN of its state machine."""
        return self.stack.outputs.get("Machine", "")

    @property
    def machines(self) -> Mapping[str, str]:
        """The ARNs of all its machines, by the flow that each runs: those it starts too."""
        named: dict[str, str] = json.loads(self.stack.outputs.get("Machines", "{}"))
        return named

    @property
    def alias(self) -> str:
        """Where new runs start."""
        return self.stack.outputs.get("Live", f"{self.machine}:{ALIAS}")

    @property
    def webhooks(self) -> tuple[str, ...]:
        """Their URLs."""
        return tuple(self.stack.outputs.get("Webhooks", "").split())

    @property
    def newest(self) -> str:
        """The version that was deployed last."""
        return self.stack.outputs.get("Version", "")

    @property
    def door(self) -> str:
        """The ARN of the newest version of its door; "" without webhooks, links, schedules."""
        return self.stack.outputs.get(DOOR, "")


@final
class Environment:
    """One environment."""

    def __init__(self, place: Place, say: Say) -> None:
        self.place = place
        self.say = say
        self.account = Account(place)
        self.stacks = Stacks(self.account.cloudformation, say, owner=tags(place))
        self.machines = Machines(self.account.stepfunctions)

    def store_stack(self) -> Stack | None:
        """The stack of run store and bucket, None before the first deploy."""
        return self.stacks.find(store_stack(self.place))

    def flows(self) -> tuple[Deployed, ...]:
        """What is deployed, by name; also flows that the project no longer has."""
        found = self.stacks.tagged(tags(self.place))
        return tuple(Deployed(one.tags[TAG_FLOW], one) for one in found if TAG_FLOW in one.tags)

    def settled_flows(self) -> tuple[Deployed, ...]:
        """The same, when nothing goes on in their stacks any more: what is under way has neither
        its new outputs nor its new parameters yet."""
        found = ((one.flow, self.stacks.settled(one.stack.name)) for one in self.flows())
        return tuple(Deployed(flow, stack) for flow, stack in found if stack is not None)

    @cached_property
    def _outputs(self) -> Mapping[str, str]:
        stack = self.store_stack()
        if stack is None or "Table" not in stack.outputs:
            name = self.place.environment.name
            where = f"{self.account.region} of account {self.account.id}"
            raise DeployError(f"`{name}` is not deployed in {where}: run `perdure deploy {name}`")
        return stack.outputs

    @property
    def store(self) -> DynamoStore:
        """The run store."""
        return DynamoStore(self.account.dynamodb, self._outputs["Table"])

    def has_table(self) -> bool:
        """Whether the run store's table is there."""
        try:
            found = self.account.dynamodb.describe_table(TableName=self.table)["Table"]
        except ClientError as error:
            if code_of(error) == "ResourceNotFoundException":
                return False
            raise
        return found.get("TableStatus") != "DELETING"

    @property
    def bucket(self) -> Bucket:
        """Where code lies."""
        return Bucket(self.account.s3, self._outputs["Bucket"], self.account.region, self.say)

    @property
    def table(self) -> str:
        """The run store's table."""
        return self._outputs["Table"]


def release_of(release: Release, package: Package) -> str:
    """A name for all that a release is made of: the same again is the same release."""
    listed = json.dumps([release.template, package.key, release.prefix])
    return f"r{sha256(listed.encode()).hexdigest()[:12]}"


def is_release(name: str, content: str) -> bool:
    """Whether a release of that name is of this content: `r17`, or `r17-2` when it came again."""
    return name == content or name.startswith(f"{content}-")


def parameters(
    environment: Environment,
    release: Release,
    package: Package,
    stack: Stack | None,
    shares: Mapping[str, str],
) -> dict[str, str]:
    """What the template of a flow asks for."""
    asked: Mapping[str, Json] = json.loads(release.template)["Parameters"]
    given = {
        "Environment": environment.place.environment.name,
        "Project": secrets_prefix(environment.place),
        "Table": environment.table,
        "CodeBucket": environment.bucket.name,
        "CodeKey": package.key,
        "Artifacts": release.prefix,
        "Release": _name_of(environment, release_of(release, package), stack),
        **shares,
    }
    return {name: value for name, value in given.items() if name in asked}


def _name_of(environment: Environment, content: str, stack: Stack | None) -> str:
    """What a release is called. Content that comes back after another one is a release of its own:
    the alias of that name is still that of its first time.
    """
    if stack is None:
        return content
    before = stack.parameters.get("Release", "")
    if is_release(before, content):
        return before
    machine = stack.outputs.get("Machine", "")
    aliases = environment.machines.aliases(machine) if machine else ()
    names = {alias.rpartition(":")[2] for alias in aliases}
    again = (f"{content}-{number}" for number in count(2))
    return next(name for name in chain([content], again) if name not in names)
