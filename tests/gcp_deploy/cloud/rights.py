"""Who may do what: policies as they were set, roles as they are, and what was used.

The table of what a method needs is the documentation's, not the compiler's:
https://cloud.google.com/iam/docs/roles-permissions, https://cloud.google.com/run/docs/reference/iam
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, final

__all__ = ["NEEDED", "Forbidden", "Rights"]

NEEDED: Mapping[str, str] = {
    "firestore.projects.databases.documents.get": "datastore.entities.get",
    "firestore.projects.databases.documents.commit": "datastore.entities.update",
    "firestore.projects.databases.documents.runQuery": "datastore.entities.list",
    "workflowexecutions.projects.locations.workflows.executions.create": (
        "workflows.executions.create"
    ),
    "workflowexecutions.projects.locations.workflows.executions.list": "workflows.executions.list",
    "workflowexecutions.projects.locations.workflows.executions.get": "workflows.executions.get",
    "workflowexecutions.projects.locations.workflows.executions.cancel": (
        "workflows.executions.cancel"
    ),
    "callback": "workflows.callbacks.send",
    "secretmanager.projects.secrets.versions.access": "secretmanager.versions.access",
    "invoke": "run.routes.invoke",
    "publish": "pubsub.topics.publish",
}
ROLES: Mapping[str, frozenset[str]] = {
    "roles/datastore.user": frozenset(
        f"datastore.entities.{verb}" for verb in ("create", "delete", "get", "list", "update")
    ),
    "roles/secretmanager.secretAccessor": frozenset({"secretmanager.versions.access"}),
    "roles/run.invoker": frozenset({"run.routes.invoke"}),
    "roles/pubsub.publisher": frozenset({"pubsub.topics.publish"}),
}
EQUALS = re.compile(r'resource\.name == "([^"]+)"')


class Forbidden(Exception):  # noqa: N818  (what the API says)
    """Nobody gave the right."""


@final
class Rights:
    """The policies of one project."""

    def __init__(self, role: Callable[[str], Mapping[str, Any] | None]) -> None:
        self.policies: dict[str, dict[str, Any]] = {}
        self.used: set[tuple[str, str, str]] = set()
        """Who, which permission, on what."""
        self._role = role
        self._etags = 0

    def read(self, on: str) -> dict[str, Any]:
        """A policy, as it is read."""
        found = self.policies.get(on, {"bindings": []})
        return {**found, "etag": found.get("etag", "e0")}

    def write(self, on: str, policy: Mapping[str, Any]) -> bool:
        """Whether it was written: not under another etag than is there."""
        if policy.get("etag") != self.read(on)["etag"]:
            return False
        self._etags += 1
        self.policies[on] = {**policy, "etag": f"e{self._etags}"}
        return True

    def need(self, who: str, permission: str, on: str) -> None:
        """Forbidden unless a binding on the resource, or on the project, gives the right."""
        for place in {on, "/".join(on.split("/")[:2])}:
            for binding in self.read(place)["bindings"]:
                held = who in binding["members"] and permission in self._permissions(binding)
                if held and _holds(binding.get("condition"), on):
                    self.used.add((who, permission, place))
                    return
        raise Forbidden(f"{who} has no {permission} on {on}")

    def granted(self) -> set[tuple[str, str, str]]:
        """Who has been given which permission on what."""
        return {
            (member, permission, on)
            for on, policy in self.policies.items()
            for binding in policy["bindings"]
            for member in binding["members"]
            for permission in self._permissions(binding)
        }

    def _permissions(self, binding: Mapping[str, Any]) -> frozenset[str]:
        role = binding["role"]
        if role in ROLES:
            return ROLES[role]
        found = self._role(role)
        return frozenset() if found is None else frozenset(found["includedPermissions"])


def _holds(condition: Mapping[str, Any] | None, on: str) -> bool:
    if not condition:
        return True
    found = EQUALS.fullmatch(condition["expression"])
    return found is not None and on.startswith(found[1])
