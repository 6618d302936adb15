"""An environment on Azure, found by its deployments: what flows share, and an app for each."""

from collections.abc import Mapping
from functools import cached_property
from typing import NamedTuple, final

from perdure.codec.text import Json
from perdure.deployment import DeployError, Place, Say
from perdure_azure.deploy.account import Account
from perdure_azure.deploy.blobs import Blobs
from perdure_azure.deploy.deployments import DONE, Deployment, Deployments
from perdure_azure.deploy.hub import Hub
from perdure_azure.deploy.ledger import Ledgers
from perdure_azure.deploy.names import environment_deployment, tags

__all__ = ["Deployed", "Environment"]

ROLE = "Durable Task Data Contributor"
ROLES = "2022-04-01"
MEMORIES = (512, 2048, 4096)


@final
class Deployed(NamedTuple):
    """A flow that is deployed."""

    flow: str
    deployment: Deployment

    @property
    def app(self) -> str:
        """Its function app."""
        return self.deployment.outputs.get("app", "")

    @property
    def url(self) -> str:
        """Where the app is reached."""
        return f"https://{self.deployment.outputs.get('host', '')}"

    @property
    def is_whole(self) -> bool:
        """Whether its resources are all there."""
        return self.deployment.status == DONE


@final
class Environment:
    """One environment."""

    def __init__(self, place: Place, say: Say) -> None:
        self.place = place
        self.say = say
        self.account = Account(place)
        self.deployments = Deployments(self.account, say, tags(place))

    def shared(self) -> Deployment | None:
        """What flows share; None before the first deploy."""
        if not self.deployments.group_is_there():
            return None
        found = self.deployments.find(environment_deployment(self.place))
        self.deployments.refuse_others(found, tags(self.place))
        return found

    def flows(self) -> tuple[Deployed, ...]:
        """What is deployed, by name; also flows that the project no longer has."""
        return tuple(
            Deployed(one.flow, one) for one in self.deployments.all() if one.flow is not None
        )

    @cached_property
    def outputs(self) -> Mapping[str, str]:
        """Of what flows share."""
        shared = self.shared()
        if shared is None or "blobs" not in shared.outputs:
            name = self.place.environment.name
            where = f"{self.account.group} of subscription {self.account.subscription}"
            raise DeployError(f"`{name}` is not deployed in {where}: run `perdure deploy {name}`")
        return shared.outputs

    @property
    def blobs(self) -> Blobs:
        """Where releases lie."""
        return Blobs(self.account, self.outputs["blobs"], self.say)

    @property
    def ledgers(self) -> Ledgers:
        """Which releases there are."""
        return Ledgers(self.blobs)

    def hub(self, one: Deployed) -> Hub:
        """The runs of a flow."""
        outputs = one.deployment.outputs
        return Hub(self.account, outputs["endpoint"], outputs["hub"])

    def parameters(self, *, shared: bool) -> dict[str, Json]:
        """What a template is given."""
        environment = self.place.environment
        given: dict[str, Json] = {
            "project": self.place.name,
            "environment": environment.name,
            "location": self.account.region,
            "durableTaskRole": self._role,
        }
        if shared:
            operator, kind = self.account.operator
            more: dict[str, Json] = {"operator": operator, "operatorType": kind}
            return {**given, **more, "logDays": environment.log_days}
        if environment.memory not in MEMORIES:
            raise DeployError(
                f"{self.account.where} says memory = {environment.memory}: Flex Consumption has"
                f" {', '.join(map(str, MEMORIES))}"
            )
        return {**given, "memory": environment.memory}

    @cached_property
    def _role(self) -> str:
        """The role's id: Microsoft's own documents have named several."""
        path = (
            f"/subscriptions/{self.account.subscription}/providers/Microsoft.Authorization"
            "/roleDefinitions"
        )
        said = self.account.arm("GET", path, ROLES, **{"$filter": f"roleName eq '{ROLE}'"})
        found = said.get("value")
        first = found[0] if isinstance(found, list) and found else None
        if not isinstance(first, dict):
            raise DeployError(f"Azure knows no role `{ROLE}` in this subscription")
        return str(first["name"])
