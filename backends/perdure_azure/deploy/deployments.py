"""ARM deployments of a resource group: found as they were left, and brought on.

A deployment carries tags that say whose it is, and the digest of its template and parameters: one
that has succeeded with the same is done. One that is under way is waited for.
"""

import json
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple, final

from perdure.codec.text import Json
from perdure.deployment import DeployError, Say
from perdure_azure.deploy import seams
from perdure_azure.deploy.account import Account, NotThere
from perdure_azure.deploy.names import TAG_DIGEST, TAG_ENVIRONMENT, TAG_FLOW, TAG_PROJECT

if TYPE_CHECKING:
    from azure.mgmt.resource.deployments.models import DeploymentExtended

__all__ = ["Change", "Deployment", "Deployments", "is_top"]

DONE: Final = "Succeeded"
OVER: Final = (DONE, "Failed", "Canceled")
GROUPS: Final = "2024-11-01"
"""api-version of resource groups."""
SIGNS: Final = {"Create": "add", "Modify": "change", "Delete": "remove"}
NOISE: Final = frozenset({"Microsoft.Authorization/roleAssignments"})
"""What what-if says nothing true about: names of principals are known when they are made."""


@final
class Deployment(NamedTuple):
    """One that is there."""

    name: str
    status: str
    tags: Mapping[str, str]
    outputs: Mapping[str, str]
    resources: tuple[str, ...]
    """Their ids, in the order of the template."""
    updated: str

    @property
    def flow(self) -> str | None:
        """The flow whose app it is; None: what flows share."""
        return self.tags.get(TAG_FLOW)


@final
class Change(NamedTuple):
    """What would happen to a resource."""

    action: str
    resource: str
    kind: str


@final
class Deployments:
    """Those of one environment."""

    def __init__(self, account: Account, say: Say, owner: Mapping[str, str]) -> None:
        self._account = account
        self._say = say
        self._owner = owner

    def group_is_there(self) -> bool:
        """Whether the resource group is there."""
        try:
            self._account.arm("GET", self._group, GROUPS)
        except NotThere:
            return False
        return True

    def make_group(self) -> None:
        """Make it, with tags that say so; who made it otherwise keeps it."""
        self._say(f"{self._account.group}: create the resource group")
        tags: dict[str, Json] = {**self._owner}
        self._account.arm(
            "PUT", self._group, GROUPS, {"location": self._account.region, "tags": tags}
        )

    def remove_group(self) -> bool:
        """Remove the group that `make_group` made, if it is empty; whether it was."""
        try:
            said = self._account.arm("GET", self._group, GROUPS)
        except NotThere:
            return False
        tags = said.get("tags")
        if not isinstance(tags, dict) or any(tags.get(k) != v for k, v in self._owner.items()):
            return False
        left = self._account.arm("GET", f"{self._group}/resources", GROUPS).get("value")
        if left:
            return False
        self._say(f"{self._account.group}: delete the resource group")
        self._account.arm("DELETE", self._group, GROUPS)
        while self.group_is_there():
            seams.pause()
        return True

    @property
    def _group(self) -> str:
        return f"/subscriptions/{self._account.subscription}/resourcegroups/{self._account.group}"

    def find(self, name: str) -> Deployment | None:
        """The deployment of that name; None where there is none."""
        from azure.core.exceptions import ResourceNotFoundError

        try:
            said = self._account.deployments.deployments.get(self._account.group, name)
        except ResourceNotFoundError:
            return None
        return _deployment(said)

    def all(self) -> tuple[Deployment, ...]:
        """Those of the environment, by name."""
        if not self.group_is_there():
            return ()
        listed = self._account.deployments.deployments.list_by_resource_group(self._account.group)
        found = (_deployment(one) for one in listed)
        ours = (one for one in found if all(one.tags.get(k) == v for k, v in self._owner.items()))
        return tuple(sorted(ours, key=lambda one: one.name))

    def settled(self, name: str) -> Deployment | None:
        """The same when nothing goes on in it any more."""
        while (found := self.find(name)) is not None and found.status not in OVER:
            self._say(f"{name}: {found.status.lower()}")
            seams.pause()
        return found

    def apply(
        self, name: str, template: str, parameters: Mapping[str, Json], tags: Mapping[str, str]
    ) -> tuple[Deployment, bool]:
        """Bring a deployment to a template; what it is then, and whether anything was done."""
        found = self.settled(name)
        self.refuse_others(found, tags)
        digest = _digest(template, parameters)
        is_same = found is not None and found.tags.get(TAG_DIGEST) == digest
        if found is not None and found.status == DONE and is_same and self._is_whole(found):
            return found, False
        self._say(f"{name}: deploy")
        self._put(name, template, parameters, {**tags, TAG_DIGEST: digest})
        made = self.settled(name)
        assert made is not None, "it was made"
        if made.status != DONE:
            raise DeployError(f"{name}: {made.status.lower()}: {self._why(name)}")
        return made, True

    def _is_whole(self, deployment: Deployment) -> bool:
        """Whether its resources are there: a destroy may have been interrupted."""
        there = {one.lower() for one in self._resources()}
        return all(one.lower() in there for one in deployment.resources if is_top(one))

    def _resources(self) -> Iterator[str]:
        """The ids of what is in the group, without what is below it."""
        url: str | None = f"{self._group}/resources"
        while url:
            page = self._account.arm("GET", url, GROUPS)
            rows = page.get("value")
            for row in rows if isinstance(rows, list) else ():
                if isinstance(row, dict):
                    yield str(row["id"])
            following = page.get("nextLink")
            url = str(following) if following else None

    def refuse_others(self, found: Deployment | None, tags: Mapping[str, str]) -> None:
        """One of another environment or flow is not changed, though it is called the same."""
        if found is None:
            return
        names = (TAG_PROJECT, TAG_ENVIRONMENT, TAG_FLOW)
        if any(found.tags.get(name) != tags.get(name) for name in names):
            whose = ", ".join(
                f"{name.rpartition(':')[2]} `{found.tags[name]}`"
                for name in names
                if name in found.tags
            )
            raise DeployError(
                f"{found.name} is there already, and is of {whose or 'somebody else'}: rename one"
            )

    def changes(
        self, name: str, template: str, parameters: Mapping[str, Json]
    ) -> tuple[Change, ...]:
        """What-if."""
        from azure.mgmt.resource.deployments.models import DeploymentWhatIf

        given = DeploymentWhatIf({"properties": _properties(template, parameters)})
        client = self._account.deployments.deployments
        said = client.begin_what_if(self._account.group, name, given).result()
        if said.error is not None:
            raise DeployError(f"{name}: {said.error.code}: {said.error.message}")
        changes = said.properties.changes if said.properties else None
        found = (
            Change(SIGNS[_word(one.change_type)], *_named(str(one.resource_id)))
            for one in changes or ()
            if _word(one.change_type) in SIGNS
        )
        return tuple(one for one in found if one.action != "change" or one.kind not in NOISE)

    def remove(self, name: str) -> None:
        """Remove the record of a deployment; its resources are removed before."""
        from azure.core.exceptions import ResourceNotFoundError

        try:
            self._account.deployments.deployments.begin_delete(self._account.group, name).result()
        except ResourceNotFoundError:
            return

    def _put(
        self,
        name: str,
        template: str,
        parameters: Mapping[str, Json],
        tags: Mapping[str, str],
    ) -> None:
        from azure.core.exceptions import HttpResponseError
        from azure.mgmt.resource.deployments.models import Deployment as Given

        given = Given({"properties": _properties(template, parameters), "tags": {**tags}})
        client = self._account.deployments.deployments
        poller = client.begin_create_or_update(self._account.group, name, given)
        try:
            poller.result()
        except HttpResponseError as error:
            if error.status_code is not None and error.status_code >= 400:
                raise
            # The deployment itself failed: what it says is asked for next.

    def _why(self, name: str) -> str:
        said = self._account.deployments.deployments.get(self._account.group, name).properties
        error = said.error if said is not None else None
        if error is None:
            return "Azure says no more"
        inner = [f"{one.code}: {one.message}" for one in error.details or ()]
        return "; ".join([f"{error.code}: {error.message}", *inner])


def is_top(resource: str) -> bool:
    """Whether a resource lies in the group itself, not in another one."""
    return (
        resource.count("/providers/") == 1 and resource.rpartition("/providers/")[2].count("/") == 2
    )


def _properties(template: str, parameters: Mapping[str, Json]) -> dict[str, Json]:
    given: dict[str, Json] = {name: {"value": value} for name, value in parameters.items()}
    return {"mode": "Incremental", "parameters": given, "template": json.loads(template)}


def _digest(template: str, parameters: Mapping[str, Json]) -> str:
    listed = json.dumps([template, dict(parameters)], sort_keys=True)
    return sha256(listed.encode()).hexdigest()[:32]


def _deployment(said: "DeploymentExtended") -> Deployment:
    properties = said.properties
    # Any: the models know no more of outputs than that they are JSON.
    outputs: dict[str, Any] = (properties.outputs if properties else None) or {}
    made = (properties.output_resources if properties else None) or []
    return Deployment(
        str(said.name),
        _word(properties.provisioning_state if properties else ""),
        dict(said.tags or {}),
        {name: str(one["value"]) for name, one in outputs.items()},
        tuple(str(one.id) for one in made),
        properties.timestamp.isoformat() if properties and properties.timestamp else "",
    )


def _word(value: object) -> str:
    """Of an enum of Azure's models, or a text that they do not know."""
    return str(getattr(value, "value", value))


def _named(resource: str) -> tuple[str, str]:
    """Name and type of a resource, out of its id."""
    parts = resource.rpartition("/providers/")[2].split("/")
    kind = "/".join([parts[0], *parts[1::2]])
    return "/".join(parts[2::2]), kind
