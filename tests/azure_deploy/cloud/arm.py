"""Azure Resource Manager: resource groups, deployments resource by resource, what-if, roles.

A deployment goes on by itself: each time anything of it is asked for, it makes one resource more.
Each resource is held to its provider's model, and may depend only on what is in the group.
"""

import copy
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from tests.azure_deploy.cloud.expressions import Evaluator, Unknown
from tests.azure_deploy.cloud.schema import problems

__all__ = ["OPERATOR", "SUBSCRIPTION", "TENANT", "Arm", "Gone", "Refused"]

SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
TENANT = "00000000-0000-0000-0000-0000000000aa"
OPERATOR = "00000000-0000-0000-0000-0000000000bb"
DURABLE_ROLE = "0ad04412-c4d5-4796-b79c-f76d14c8d402"
DEPLOYMENTS = "/providers/Microsoft.Resources/deployments"
MADE = "Succeeded"

type Answer = tuple[int, Mapping[str, str], Any]


class Refused(Exception):  # noqa: N818
    """An answer of 400 or more, as ARM words it."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"code": code, "message": message}}


class Gone(Refused):
    def __init__(self, what: str) -> None:
        super().__init__(404, "ResourceNotFound", f"{what} was not found")


class Arm:
    """What there is, by the lower-case id."""

    def __init__(self) -> None:
        self.groups: dict[str, dict[str, Any]] = {}
        self.resources: dict[str, dict[str, Any]] = {}
        self.deployments: dict[str, dict[str, Any]] = {}
        self.fails: dict[str, str] = {}
        """Types whose creation fails, and how: once."""
        self.purged: list[str] = []

    def answer(self, method: str, path: str, query: Mapping[str, str], body: Any) -> Answer:
        """A request to management.azure.com."""
        assert "api-version" in query, path
        low = path.lower()
        prefix = f"/subscriptions/{SUBSCRIPTION}".lower()
        if low.startswith("/subscriptions/") and not low.startswith(prefix):
            raise Refused(404, "SubscriptionNotFound", "The subscription could not be found.")
        rest = low.removeprefix(prefix)
        if not rest:
            return 200, {}, {"subscriptionId": SUBSCRIPTION, "tenantId": TENANT}
        if rest.endswith("/roledefinitions"):
            assert query["$filter"] == "roleName eq 'Durable Task Data Contributor'"
            return 200, {}, {"value": [{"name": DURABLE_ROLE}]}
        if "/deletedvaults/" in rest:
            self.purged.append(rest)
            return 202, {}, None
        group = re.fullmatch(r"/resourcegroups/([^/]+)", rest)
        if group is not None:
            return self._group(method, group[1], body)
        listed = re.fullmatch(r"/resourcegroups/([^/]+)/resources", rest)
        if listed is not None:
            self._there(listed[1])
            tops = [one for one in self.resources.values() if one["id"].count("/") == 8]
            return 200, {}, {"value": [{"id": one["id"]} for one in tops]}
        named = re.fullmatch(r"/resourcegroups/([^/]+)(/.*)", rest)
        assert named is not None, path
        self._there(named[1])
        if DEPLOYMENTS.lower() in named[2]:
            return self._deployment(method, path, body)
        return self._resource(method, path)

    def _there(self, group: str) -> None:
        if group not in self.groups:
            raise Refused(404, "ResourceGroupNotFound", f"Resource group '{group}' not found.")

    def _group(self, method: str, name: str, body: Any) -> Answer:
        if method == "PUT":
            where = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{name}"
            self.groups[name] = {"id": where, "name": name, **body}
        self._there(name)
        if method == "DELETE":
            self.groups.pop(name)
            return 202, {}, None
        return 200, {}, self.groups[name]

    # --- resources ------------------------------------------------------------------------------

    def _resource(self, method: str, path: str) -> Answer:
        found = self.resources.get(path.lower())
        if found is None:
            raise Gone(path)
        if method == "DELETE":
            below = [one for one in self.resources if one.startswith(f"{path.lower()}/")]
            for one in [path.lower(), *below]:
                self.resources.pop(one)
            return 200, {}, None
        assert method == "GET", method
        return 200, {}, found

    def make(self, resource: Mapping[str, Any], where: str) -> dict[str, Any]:
        """A resource, with what its provider adds."""
        kind = str(resource["type"])
        found = problems(kind, resource)
        if found:
            raise Refused(400, "InvalidTemplate", "; ".join(found))
        if kind in self.fails:
            raise Refused(409, "Conflict", self.fails.pop(kind))
        identity = self.id_of(resource, where)
        if kind != "Microsoft.Authorization/roleAssignments":
            parent = identity.lower().rpartition("/")[0].rpartition("/")[0]
            if "/blobservices" in parent:
                parent = parent.partition("/blobservices")[0]
            assert (
                parent.endswith("/providers") or kind.count("/") == 1 or parent in self.resources
            ), f"{identity} is made before {parent}"
        made: dict[str, Any] = copy.deepcopy({**resource, "id": identity})
        made["given"] = copy.deepcopy(dict(resource))
        made.setdefault("properties", {}).update(self._added(kind, made))
        self.resources[identity.lower()] = made
        return made

    def id_of(self, resource: Mapping[str, Any], where: str) -> str:
        """The id of a resource of a template."""
        provider, *types = str(resource["type"]).split("/")
        names = str(resource["name"]).split("/")
        pairs = "/".join(f"{one}/{name}" for one, name in zip(types, names, strict=True))
        base = str(resource.get("scope") or where)
        return f"{base}/providers/{provider}/{pairs}"

    def _added(self, kind: str, made: Mapping[str, Any]) -> dict[str, Any]:
        name = str(made["name"])
        match kind:
            case "Microsoft.ManagedIdentity/userAssignedIdentities":
                return {
                    "principalId": str(uuid5(NAMESPACE_URL, f"principal {made['id']}")),
                    "clientId": str(uuid5(NAMESPACE_URL, f"client {made['id']}")),
                }
            case "Microsoft.Storage/storageAccounts":
                return {"primaryEndpoints": {"blob": f"https://{name}.blob.core.windows.net/"}}
            case "Microsoft.KeyVault/vaults":
                return {"vaultUri": f"https://{name}.vault.azure.net/"}
            case "Microsoft.DurableTask/schedulers":
                return {"endpoint": f"https://{name}.westeurope.durabletask.io"}
            case "Microsoft.Insights/components":
                return {"ConnectionString": f"InstrumentationKey=0;of={name}"}
            case "Microsoft.Web/sites":
                host = f"{name}-abc.westeurope-01"
                return {
                    "defaultHostName": f"{host}.azurewebsites.net",
                    "hostNameSslStates": [
                        {"name": f"{host}.azurewebsites.net", "hostType": "Standard"},
                        {"name": f"{host}.scm.azurewebsites.net", "hostType": "Repository"},
                    ],
                }
            case _:
                return {}

    # --- deployments ----------------------------------------------------------------------------

    def _deployment(self, method: str, path: str, body: Any) -> Answer:
        rest = path[path.lower().index(DEPLOYMENTS.lower()) + len(DEPLOYMENTS) :].strip("/")
        where = path[: path.lower().index(DEPLOYMENTS.lower())]
        where = self.groups[where.rpartition("/")[2].lower()]["id"]
        if not rest:
            for one in self.deployments.values():
                self._go_on(one)
            return 200, {}, {"value": [self._said(one) for one in self.deployments.values()]}
        name, _, more = rest.partition("/")
        if more == "whatIf":
            return 200, {}, self._what_if(where, body)
        if method == "PUT":
            return self._begin(name, where, body)
        found = self.deployments.get(name)
        if found is None:
            raise Refused(404, "DeploymentNotFound", f"Deployment '{name}' could not be found.")
        if method == "DELETE":
            del self.deployments[name]
            return 204, {}, None
        self._go_on(found)
        if more.startswith("operationStatuses"):
            return 200, {}, {"status": found["state"], **self._error(found)}
        return 200, {}, self._said(found)

    def _begin(self, name: str, where: str, body: Any) -> Answer:
        assert body["properties"]["mode"] == "Incremental"
        running = self.deployments.get(name)
        if running is not None and running["state"] == "Running":
            raise Refused(409, "DeploymentActive", f"Deployment '{name}' is active.")
        begun = {
            "name": name,
            "where": where,
            "tags": body.get("tags", {}),
            "properties": copy.deepcopy(body["properties"]),
            "state": "Running",
            "left": [*self._ordered(where, body["properties"])],
            "made": [],
            "error": None,
        }
        self.deployments[name] = begun
        status = f"https://management.azure.com{where}{DEPLOYMENTS}/{name}/operationStatuses/1"
        headers = {"azure-asyncoperation": f"{status}?api-version=2026-06-01"}
        return 201, headers, self._said(begun)

    def _go_on(self, one: dict[str, Any]) -> None:
        if one["state"] != "Running":
            return
        try:
            if one["left"]:
                resource = one["left"].pop(0)
                evaluator = self._evaluator(one["where"], one["properties"])
                whole = {
                    key: evaluator.value(value)
                    for key, value in resource.items()
                    if key not in ("dependsOn", "condition")
                }
                one["made"].append(self.make(whole, one["where"])["id"])
            if not one["left"]:
                one["state"] = MADE
                evaluator = self._evaluator(one["where"], one["properties"])
                outputs = one["properties"]["template"].get("outputs", {})
                one["outputs"] = {
                    name: {"type": said["type"], "value": evaluator.value(said["value"])}
                    for name, said in outputs.items()
                }
        except Refused as refused:
            one["state"], one["error"] = "Failed", refused.body["error"]

    def _said(self, one: Mapping[str, Any]) -> dict[str, Any]:
        properties: dict[str, Any] = {
            "provisioningState": one["state"],
            "timestamp": "2026-01-01T00:00:00Z",
            "outputResources": [{"id": made} for made in one["made"]],
            **self._error(one),
        }
        if one["state"] == MADE:
            properties["outputs"] = one["outputs"]
        where = f"{one['where']}{DEPLOYMENTS}/{one['name']}"
        return {"id": where, "name": one["name"], "tags": one["tags"], "properties": properties}

    def _error(self, one: Mapping[str, Any]) -> dict[str, Any]:
        return {"error": one["error"]} if one["error"] else {}

    def _evaluator(self, where: str, properties: Mapping[str, Any]) -> Evaluator:
        template = properties["template"]
        group = self.groups[where.rpartition("/")[2].lower()]
        given = {name: one["value"] for name, one in properties["parameters"].items()}
        evaluator = Evaluator(
            subscription=SUBSCRIPTION,
            tenant=TENANT,
            group=group,
            parameters={},
            variables=template.get("variables", {}),
            reference=self._reference,
        )
        unknown = set(given) - set(template["parameters"])
        if unknown:
            raise Refused(400, "InvalidTemplate", f"no parameters of it: {sorted(unknown)}")
        parameters = {}
        for name, said in template["parameters"].items():
            if name not in given and "defaultValue" not in said:
                raise Refused(400, "InvalidTemplate", f"the parameter {name} has no value")
            value = given.get(name, evaluator.value(said.get("defaultValue")))
            kinds = {"string": str, "int": int}
            assert isinstance(value, kinds[said["type"]]), f"{name}: {value!r}"
            assert value in said.get("allowedValues", [value]), f"{name}: {value!r}"
            parameters[name] = value
        evaluator.parameters = parameters
        return evaluator

    def _reference(self, resource: str) -> Any:
        found = self.resources.get(resource.lower())
        if found is None:
            raise Unknown(resource)
        return found["properties"]

    def _ordered(self, where: str, properties: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """In the order of `dependsOn`; references to resources of the same template depend, too."""
        evaluator = self._evaluator(where, properties)
        wanted: dict[str, dict[str, Any]] = {}
        for one in properties["template"]["resources"]:
            if not evaluator.value(one.get("condition", True)):
                continue
            named = _named(one, evaluator)
            wanted[self.id_of(named, where).lower()] = one
        made: set[str] = set()
        while len(made) < len(wanted):
            before = len(made)
            for identity, one in wanted.items():
                after = [
                    *map(evaluator.value, one.get("dependsOn", [])),
                    *_referred(one, evaluator),
                ]
                if identity not in made and all(
                    needed.lower() in made or needed.lower() not in wanted for needed in after
                ):
                    made.add(identity)
                    yield one
            assert len(made) > before, "a circle of dependencies"

    def _what_if(self, where: str, body: Any) -> Any:
        changes: list[dict[str, Any]] = []
        properties = body["properties"]
        evaluator = self._evaluator(where, properties)
        for one in self._ordered(where, properties):
            named = _named(one, evaluator)
            identity = self.id_of(named, where)
            there = self.resources.get(identity.lower())
            changes.append(
                {"resourceId": identity, "changeType": self._change(one, there, evaluator)}
            )
        return {"status": MADE, "properties": {"changes": changes}}

    def _change(self, one: Mapping[str, Any], there: Any, evaluator: Evaluator) -> str:
        if there is None:
            return "Create"
        if one["type"] == "Microsoft.Authorization/roleAssignments":
            return "Modify"  # it cannot know principals: noise, which the adapter leaves out
        whole = {
            key: evaluator.value(value)
            for key, value in one.items()
            if key not in ("dependsOn", "condition")
        }
        return "NoChange" if whole == there["given"] else "Modify"

    # --- roles ----------------------------------------------------------------------------------

    def roles(self) -> set[tuple[str, str, str]]:
        """Who has which role where: principal, role, scope."""
        return {
            (
                one["properties"]["principalId"],
                one["properties"]["roleDefinitionId"].rpartition("/")[2],
                one["scope"],
            )
            for one in self.resources.values()
            if one["type"] == "Microsoft.Authorization/roleAssignments"
        }


def _named(resource: Mapping[str, Any], evaluator: Evaluator) -> dict[str, Any]:
    """What the id of a resource is made of."""
    keys = [key for key in ("type", "name", "scope") if key in resource]
    return {key: evaluator.value(resource[key]) for key in keys}


def _referred(resource: Mapping[str, Any], evaluator: Evaluator) -> Iterator[str]:
    text = json.dumps(resource)
    for found in re.finditer(r"reference\((resourceId\((?:[^()]|\([^()]*\))*\))", text):
        yield evaluator.value(f"[{found[1]}]")
