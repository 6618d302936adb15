"""What the APIs keep: resources by name, as their requests made them.

Each answers as its API's description says; what it sets by itself (addresses, states) is added.
Operations take some looks to be done.
"""

import copy
from typing import Any, final

from tests.gcp_deploy.cloud.discovery import Asked

__all__ = ["Kept", "Refused"]

NUMBER = "123456789"
ID_PARAMETERS = ("serviceId", "workflowId", "databaseId", "secretId")


class Refused(Exception):  # noqa: N818  (what the API says)
    """An answer that is an error."""

    def __init__(self, status: int, word: str, message: str) -> None:
        super().__init__(message)
        self.status, self.word, self.message = status, word, message


@final
class Kept:
    """Resources of one project."""

    def __init__(self) -> None:
        self.there: dict[str, dict[str, Any]] = {}
        """By `<api>/<full name>`."""
        self.versions: dict[str, list[str]] = {}
        """Payloads of secrets."""
        self.objects: dict[tuple[str, str], bytes] = {}
        self.apis: set[str] = set()
        self.looks = 1
        """How often an operation is looked at before it is done."""
        self._operations: dict[str, int] = {}

    def answer(self, asked: Asked) -> Any:
        """The answer to a request that is about a resource."""
        api, _, last = asked.id.partition(".")[0], "", asked.id.rpartition(".")[2]
        match last:
            case "get" if "operations" in asked.id:
                return self._looked(asked.path["name"])
            case "get":
                return copy.deepcopy(self._one(api, _name(asked)))
            case "create":
                return self._create(api, asked)
            case "patch":
                return self._patch(api, asked)
            case "delete":
                return self._delete(api, asked)
            case "undelete":
                self._role(asked.path["name"]).pop("deleted", None)
                return self._role(asked.path["name"])
            case "list":
                return self._list(api, asked)
            case _:
                raise Refused(501, "UNIMPLEMENTED", asked.id)

    def _one(self, api: str, name: str) -> dict[str, Any]:
        found = self.there.get(f"{api}/{name}")
        if found is None:
            raise Refused(404, "NOT_FOUND", f"{name} was not found")
        return found

    def _role(self, name: str) -> dict[str, Any]:
        return self._one("iam", name)

    def _create(self, api: str, asked: Asked) -> Any:
        name, body = self._named(asked)
        if f"{api}/{name}" in self.there:
            raise Refused(409, "ALREADY_EXISTS", f"{name} already exists")
        made = {**copy.deepcopy(body), "name": name}
        self.there[f"{api}/{name}"] = made
        self._settle(api, name, made)
        if api == "logging":
            made["name"] = name.rpartition("/")[2]
        return self._operation(api, asked) if api in ("run", "workflows", "firestore") else made

    def _named(self, asked: Asked) -> tuple[str, dict[str, Any]]:
        """The full name of what is made, and its body."""
        body: dict[str, Any] = dict(asked.body)
        parent = asked.path.get("parent", asked.path.get("name", ""))
        if "serviceAccounts" in asked.id:
            email = f"{body['accountId']}@{parent.partition('/')[2]}.iam.gserviceaccount.com"
            _check_length(body["accountId"], 6, 30)
            return f"{parent}/serviceAccounts/{email}", {**body["serviceAccount"], "email": email}
        if "roles" in asked.id:
            return f"{parent}/roles/{body['roleId']}", body["role"]
        for parameter in ID_PARAMETERS:
            if parameter in asked.query:
                plural = asked.id.split(".")[-2]
                _check_length(asked.query[parameter], 1, 63)
                return f"{parent}/{plural}/{asked.query[parameter]}", body
        if "sinks" in asked.id:
            return f"{parent}/sinks/{body['name']}", body
        return body.get("name", parent), body

    def _settle(self, api: str, name: str, made: dict[str, Any]) -> None:
        """What the service itself sets."""
        last = name.rpartition("/")[2]
        if api == "run":
            made["uri"] = f"https://{last}-abcdefghij-ew.a.run.app"
            made["terminalCondition"] = {"type": "Ready", "state": "CONDITION_SUCCEEDED"}
            made["trafficStatuses"] = [
                {**row, **({"uri": made["uri"].replace("//", f"//{row['tag']}---")}
                           if "tag" in row else {})}
                for row in made.get("traffic", [])
            ]  # fmt: skip
            for row in made["trafficStatuses"]:
                label = row.get("uri", "").partition("//")[2].partition(".")[0]
                _check_length(label, 0, 63)
            revision = made["template"].get("revision", f"{last}-{len(made)}")
            if not revision.startswith(f"{last}-"):
                raise Refused(400, "INVALID_ARGUMENT", f"{revision} does not begin with {last}-")
            known = self.there.get(f"run/{name}/revisions/{revision}")
            template = {**made["template"], "name": revision}
            if known is not None and known != template and "revision" in made["template"]:
                raise Refused(409, "ALREADY_EXISTS", f"revision {revision} is there already")
            self.there[f"run/{name}/revisions/{revision}"] = template
            for row in made.get("traffic", []):
                self._one("run", f"{name}/revisions/{row['revision']}")
        if api == "logging":
            made["writerIdentity"] = f"serviceAccount:service-{NUMBER}@gcp-sa-logging.{last}"
        if api == "workflows":
            made.update(state="ACTIVE", revisionId="000001-a4d")

    def _patch(self, api: str, asked: Asked) -> Any:
        body: dict[str, Any] = dict(asked.body)
        mask = asked.query.get("updateMask", body.get("updateMask", ""))
        wrapped = [one for one in ("serviceAccount", "topic", "subscription") if one in body]
        if wrapped:
            body = body[wrapped[0]]
        name = _name(asked)
        found = self._one(api, name)
        for member in filter(None, mask.split(",")):
            found[member] = copy.deepcopy(body[member])
        self._settle(api, name, found)
        waits = api in ("run", "workflows", "firestore")
        return self._operation(api, asked) if waits else copy.deepcopy(found)

    def _delete(self, api: str, asked: Asked) -> Any:
        name = _name(asked)
        found = self._one(api, name)
        if found.get("deleteProtectionState") == "DELETE_PROTECTION_ENABLED":
            raise Refused(400, "FAILED_PRECONDITION", f"{name} is protected")
        if "roles" in asked.id:
            found["deleted"] = True
            return found
        prefix = f"{api}/{name}"
        for key in [one for one in self.there if one == prefix or one.startswith(f"{prefix}/")]:
            del self.there[key]
        self.versions.pop(name, None)
        return self._operation(api, asked) if api in ("run", "workflows", "firestore") else {}

    def _list(self, api: str, asked: Asked) -> Any:
        plural = asked.id.split(".")[-2]
        prefix = f"{api}/{asked.path['parent']}/{plural}/"
        rows = [one for key, one in self.there.items() if key.startswith(prefix)]
        return {plural: copy.deepcopy(rows)} if rows else {}

    # --- operations -----------------------------------------------------------------------------

    def _operation(self, api: str, asked: Asked) -> dict[str, Any]:
        parent = "/".join((asked.path.get("parent") or asked.path["name"]).split("/")[:4])
        name = f"{parent}/operations/{len(self._operations)}"
        if api == "firestore":
            project = "/".join(parent.split("/")[:2])
            name = f"{project}/databases/d/operations/{len(self._operations)}"
        self._operations[name] = 0
        return {"name": name, "done": self.looks == 0}

    def _looked(self, name: str) -> dict[str, Any]:
        self._operations[name] += 1
        done = self._operations[name] >= self.looks
        return {"name": name, "done": done, **({"response": {}} if done else {})}


def _name(asked: Asked) -> str:
    for given in ("name", "topic", "subscription", "sinkName"):
        if given in asked.path:
            return asked.path[given]
    raise AssertionError(asked)


def _check_length(text: str, low: int, high: int) -> None:
    if not low <= len(text) <= high:
        raise Refused(400, "INVALID_ARGUMENT", f"{text!r} has {low} to {high} characters")
