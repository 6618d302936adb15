"""Google Cloud in this process: what a deployment uses of it.

    with cloud(folder) as there:
        ...                      # the adapter as usual, credentials of project demo-project
        there.advance(3600)      # an hour later
        there.calls              # every request of whoever deploys

Requests are held to the vendor's discovery documents; workflows are executed by our engine, and
their sites are the code that lies in the bucket. `there.fault` is asked before and after every
request of whoever deploys; what it raises is what the process dies of.
"""

import base64
import json
import os
import re
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, final
from unittest.mock import patch

import requests

from perdure_gcp.deploy import account, api, runs
from perdure_gcp.workflows import Failure, Request, Response
from tests.gcp.cloud import Firestore
from tests.gcp_deploy.cloud.code import Code
from tests.gcp_deploy.cloud.discovery import Asked, Malformed, asked
from tests.gcp_deploy.cloud.kept import Kept, Refused
from tests.gcp_deploy.cloud.rights import NEEDED, Forbidden, Rights
from tests.gcp_deploy.cloud.running import Running

__all__ = ["Call", "Cloud", "cloud"]

PROJECT, REGION = "demo-project", "europe-west1"
DEPLOYER = "deployer"
ALWAYS_ON = ("cloudresourcemanager", "serviceusage")


class Call(NamedTuple):
    """One request of whoever deploys."""

    method: str
    """Of the API, by its id."""
    url: str
    body: Any


@final
class Cloud:
    """One project in one region."""

    def __init__(self, folder: Path) -> None:
        self.calls: list[Call] = []
        self.fault: Callable[[Call, str], None] = lambda call, when: None
        """Told of each request "before" it is done and "after"."""
        self.kept = Kept()
        self.rights = Rights(self._live_role)
        self.firestore = Firestore()
        self.running = Running(PROJECT, REGION, float(int(time.time())))
        self.running.serve(self._to_service)
        self.running.ended.append(self._log_end)
        self.logged: list[str] = []
        """Executions that the log has told of."""
        self._folder = folder
        self._codes: dict[str, Code] = {}

    @property
    def now(self) -> float:
        """The cloud's clock."""
        return self.running.engine.clock

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.running.advance(seconds)

    def new_instances(self) -> None:
        """Services answer from new processes."""
        self._codes.clear()
        self._folder = self._folder / f"copy-{os.getpid()}"

    def left(self) -> list[str]:
        """Everything that is there."""
        bound = [f"{who} {what} {on}" for who, what, on in self.rights.granted()]
        there = [name for name, one in self.kept.there.items() if not one.get("deleted")]
        return sorted([*there, *bound, *map(str, self.kept.objects)])

    # --- requests -------------------------------------------------------------------------------

    def request(self, method: str, url: str, **given: Any) -> requests.Response:
        """google-auth's session, of whoever deploys."""
        data: bytes | None = given["data"]
        call = Call(self._method(method, url, data), url, _json(data))
        self.calls.append(call)
        self.fault(call, "before")
        status, answer = self.send(DEPLOYER, method, url, data)
        self.running.settle()
        self.fault(call, "after")
        made = requests.Response()
        made.status_code = status
        made._content = json.dumps(answer).encode()  # pyright: ignore[reportPrivateUsage]
        return made

    def _method(self, method: str, url: str, data: bytes | None) -> str:
        return "callback" if "/callbacks/" in url else asked(method, url, data).id

    def send(self, who: str, method: str, url: str, data: bytes | None) -> tuple[int, Any]:
        """One request under an identity."""
        try:
            if "/callbacks/" in url:
                self._allow(who, "callback", f"projects/{PROJECT}")
                return self.running.engine.call_back(url), {}
            request = asked(method, url, data)
            api_name = request.id.partition(".")[0]
            if api_name not in (*ALWAYS_ON, *(one.partition(".")[0] for one in self.kept.apis)):
                return 403, _switched_off(f"{api_name}.googleapis.com")
            self._allow(who, request.id, self._resource(request))
            return 200, self._answer(request)
        except Refused as refused:
            return refused.status, _error(refused.status, refused.word, refused.message)
        except Forbidden as forbidden:
            return 403, _error(403, "PERMISSION_DENIED", str(forbidden))

    def _allow(self, who: str, method: str, on: str) -> None:
        if who == DEPLOYER:
            return
        if method not in NEEDED:
            raise Malformed(f"{who} asks for {method}, which nobody thought of")
        self.rights.need(who, NEEDED[method], on)

    def _resource(self, request: Asked) -> str:
        path = request.path
        name = path.get("name") or path.get("database") or path.get("parent", "")
        if request.id.startswith("firestore"):
            return "/".join(name.split("/")[:4])
        if request.id.startswith("secretmanager"):
            return name.partition("/versions/")[0]
        return f"projects/{PROJECT}"

    def _answer(self, request: Asked) -> Any:
        api_name = request.id.partition(".")[0]
        if request.id.endswith("IamPolicy"):
            return self._policy(request)
        match api_name:
            case "cloudresourcemanager":
                if request.path["name"] != f"projects/{PROJECT}":
                    raise Refused(404, "NOT_FOUND", "no such project")
                return {"name": "projects/123456789", "projectId": PROJECT, "state": "ACTIVE"}
            case "serviceusage":
                return self._usage(request)
            case "storage":
                return self._storage(request)
            case "workflowexecutions":
                deployed = {
                    name.removeprefix("workflows/"): one
                    for name, one in self.kept.there.items()
                    if name.startswith("workflows/")
                }
                return self.running.answer(request, deployed)
            case "firestore" if ".documents." in request.id:
                return self._documents(request)
            case "secretmanager" if ".versions." in request.id or "addVersion" in request.id:
                return self._versions(request)
            case _:
                answer = self.kept.answer(request)
                for on in [*self.rights.policies]:  # a policy goes with what it is about
                    if request.id.endswith("delete") and not self._is_there(on):
                        del self.rights.policies[on]
                return answer

    def _policy(self, request: Asked) -> Any:
        on = request.path["resource"]
        if request.id.endswith("getIamPolicy"):
            self._exists(on)
            return self.rights.read(on)
        for binding in request.body["policy"]["bindings"]:
            for member in binding["members"]:
                self._known(member)
        if not self.rights.write(on, request.body["policy"]):
            raise Refused(409, "ABORTED", "there were concurrent policy changes")
        return self.rights.read(on)

    def _exists(self, on: str) -> None:
        if not self._is_there(on):
            raise Refused(404, "NOT_FOUND", f"{on} was not found")

    def _is_there(self, on: str) -> bool:
        return on == f"projects/{PROJECT}" or any(
            key.partition("/")[2] == on for key in self.kept.there
        )

    def _known(self, member: str) -> None:
        """A policy names identities that there are."""
        email = member.removeprefix("serviceAccount:")
        ours = email.endswith(".iam.gserviceaccount.com")
        if ours and f"iam/projects/{PROJECT}/serviceAccounts/{email}" not in self.kept.there:
            raise Refused(400, "INVALID_ARGUMENT", f"Service account {email} does not exist.")

    def _usage(self, request: Asked) -> Any:
        if request.id.endswith("batchEnable"):
            self.kept.apis |= {*request.body["serviceIds"]}
            return {"name": "operations/acf", "done": True}
        # The parameter is repeated: only the last one is in the mapping.
        rows = [
            {"name": f"projects/123456789/services/{name}", "state": "ENABLED"}
            for name in sorted(self.kept.apis)
        ]
        return {"services": rows}

    def _storage(self, request: Asked) -> Any:
        body: Any = request.body or {}
        bucket, last = request.path.get("bucket", ""), request.id.rpartition(".")[2]
        key = f"storage/{bucket or body.get('name')}"
        if "objects" in request.id:
            return self._objects(request, bucket, last)
        if last == "insert":
            if key in self.kept.there:
                raise Refused(409, "conflict", "there is one")
            self.kept.there[key] = dict(request.body)
        if key not in self.kept.there:
            raise Refused(404, "notFound", "no such bucket")
        if last == "delete":
            if any(name == bucket for name, _ in self.kept.objects):
                raise Refused(409, "conflict", "the bucket is not empty")
            del self.kept.there[key]
            return {}
        return self.kept.there[key]

    def _objects(self, request: Asked, bucket: str, last: str) -> Any:
        named = request.query.get("name") or request.path.get("object", "")
        if last == "insert":
            self.kept.objects[bucket, named] = request.body
        elif last == "list":
            return {"items": [{"name": n} for b, n in self.kept.objects if b == bucket]}
        elif (bucket, named) not in self.kept.objects:
            raise Refused(404, "notFound", f"no object {named}")
        elif last == "delete":
            del self.kept.objects[bucket, named]
            return {}
        return {"name": named, "bucket": bucket}

    def _documents(self, request: Asked) -> Any:
        whole = request.path.get("name") or request.path.get("database") or request.path["parent"]
        database = "/".join(whole.split("/")[:4])
        if f"firestore/{database}" not in self.kept.there:
            raise Refused(404, "NOT_FOUND", f"{database} was not found")
        last = request.id.rpartition(".")[2]
        suffix = {"commit": "/documents:commit", "runQuery": ":runQuery"}.get(last, "")
        url = f"https://firestore.googleapis.com/v1/{whole}{suffix}"
        status, answer = self.firestore("GET" if last == "get" else "POST", url, request.body)
        if status != 200:
            error = answer.get("error") if isinstance(answer, dict) else None
            word = error.get("status") if isinstance(error, dict) else "NOT_FOUND"
            raise Refused(status, str(word), "not so")
        return answer

    def _versions(self, request: Asked) -> Any:
        if request.id.endswith("addVersion"):
            name = request.path["parent"]
            self.kept.answer(Asked("secretmanager.get", {"name": name}, {}, None))
            self.kept.versions.setdefault(name, []).append(request.body["payload"]["data"])
            return {"name": f"{name}/versions/{len(self.kept.versions[name])}"}
        name = (request.path.get("name") or request.path["parent"]).partition("/versions")[0]
        values = self.kept.versions.get(name, [])
        rows = [
            {"name": f"{name}/versions/{n}", "state": "ENABLED" if value else "DESTROYED"}
            for n, value in enumerate(values)
        ]
        if request.id.endswith("versions.destroy"):
            number = int(request.path["name"].rpartition("/")[2])
            values[number] = ""
            return {**rows[number], "state": "DESTROYED"}
        if request.id.endswith("versions.list"):
            return {"versions": rows}
        if not values:
            raise Refused(404, "NOT_FOUND", f"{name} has no version")
        if request.id.endswith("versions.access"):
            if not values[-1]:
                raise Refused(400, "FAILED_PRECONDITION", "it is in DESTROYED state")
            return {"name": rows[-1]["name"], "payload": {"data": values[-1]}}
        return rows[-1]

    def _live_role(self, name: str) -> Mapping[str, Any] | None:
        found = self.kept.there.get(f"iam/{name}")
        return None if found is None or found.get("deleted") else found

    # --- services -------------------------------------------------------------------------------

    def _to_service(self, sent: Request) -> Response | Failure:
        """A request of a workflow, with the token of its identity."""
        workflow = next(
            e.workflow for e, *_ in self.running.made.values() if e.workflow.startswith("projects/")
        )
        identity = self.kept.there.get(f"workflows/{workflow}", {}).get("serviceAccount", "")
        return Response(
            200, self.invoke(identity.rpartition("/")[2], sent.url, sent.audience, {}, sent.body)
        )

    def invoke(
        self,
        email: str,
        url: str,
        audience: str | None,
        headers: Mapping[str, str],
        body: bytes,
    ) -> bytes:
        """A request with the OIDC token of an identity, to a service of which it is private."""
        service, revision, _ = self._revision_at(url)
        if audience != self.kept.there[f"run/{service}"]["uri"]:
            raise Forbidden(f"a token for {audience} is sent to {url}")
        self.rights.need(f"serviceAccount:{email}", NEEDED["invoke"], service)
        return self._code(service, revision).sites(headers, body)

    def knock(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Any:
        """A stranger's request to a service that anybody may call."""
        service, revision, path = self._revision_at(url)
        assert self.kept.there[f"run/{service}"].get("invokerIamDisabled"), "it is private"
        answer = self._code(service, revision).door(method, path, headers, body)
        self.running.settle()
        return answer

    def _revision_at(self, url: str) -> tuple[str, str, str]:
        """The service that an address leads to, which revision of it, and the rest."""
        for key, one in self.kept.there.items():
            if not key.startswith("run/") or "uri" not in one:
                continue
            found = re.fullmatch(
                re.escape(one["uri"]).replace("//", r"//(?:(\w+)---)?", 1) + r"(/.*)?", url
            )
            if found is not None:
                rows = one["trafficStatuses"]
                chosen = [
                    r for r in rows if (r["tag"] == found[1] if found[1] else r.get("percent"))
                ]
                name = chosen[0]["revision"] if rows else one["template"].get("revision", "")
                return key.removeprefix("run/"), name, found[2] or "/"
        raise AssertionError(f"nothing answers at {url}")

    def _code(self, service: str, revision: str) -> Code:
        one = self.kept.there[f"run/{service}"]
        template: Any = self.kept.there.get(f"run/{service}/revisions/{revision}", one["template"])
        known = f"{service} {revision} {json.dumps(template, sort_keys=True)}"
        if known not in self._codes:
            (container,) = template["containers"]
            source = container["sourceCode"]["cloudStorageSource"]
            env = {row["name"]: row["value"] for row in container["env"]}
            email = f"serviceAccount:{template['serviceAccount']}"

            def send(method: str, url: str, body: Any = None) -> tuple[int, Any]:
                data = None if body is None else json.dumps(body).encode()
                return self.send(email, method, url, data)

            archive = self.kept.objects[source["bucket"], source["object"]]
            folder = self._folder / str(len(self._codes))
            self._codes[known] = Code(folder, archive, env, send, lambda: self.now)
        return self._codes[known]

    # --- logs -----------------------------------------------------------------------------------

    def _log_end(self, name: str) -> None:
        """An execution has ended: the sinks that take its log entry hand it on."""
        state = self.running.made[name][0].state
        if state not in ("FAILED", "CANCELLED"):
            return
        _, _, _, region, _, workflow, _, execution = name.split("/")
        entry = {
            "logName": f"projects/{PROJECT}/logs/workflows.googleapis.com%2Fexecutions_system",
            "resource": {
                "type": "workflows.googleapis.com/Workflow",
                "labels": {"location": region, "workflow_id": workflow},
            },
            "labels": {"workflows.googleapis.com/execution_id": execution},
            "jsonPayload": {"state": state},
        }
        for key, sink in [*self.kept.there.items()]:
            if key.startswith("logging/") and _takes(sink["filter"], entry):
                self.logged.append(name)
                self._publish(sink, entry)

    def _publish(self, sink: Mapping[str, Any], entry: Mapping[str, Any]) -> None:
        topic = sink["destination"].removeprefix("pubsub.googleapis.com/")
        self.rights.need(sink["writerIdentity"], NEEDED["publish"], topic)
        data = base64.b64encode(json.dumps(entry).encode()).decode()
        for key, one in [*self.kept.there.items()]:
            if key.startswith("pubsub/") and one.get("topic") == topic:
                push, token = one["pushConfig"], one["pushConfig"]["oidcToken"]
                body = json.dumps({"message": {"data": data, "messageId": "1"}}).encode()
                self.running.engine.at(self.now, partial(self._pushed, push, token, body))

    def _pushed(self, push: Mapping[str, Any], token: Mapping[str, str], body: bytes) -> None:
        email, audience = token["serviceAccountEmail"], token["audience"]
        self.invoke(email, push["pushEndpoint"], audience, {}, body)

    # --- schedules ------------------------------------------------------------------------------

    def fire(self, moment: str) -> list[bytes]:
        """Every schedule is due at a moment."""
        found: list[bytes] = []
        for key, job in [*self.kept.there.items()]:
            if key.startswith("cloudscheduler/"):
                target, token = job["httpTarget"], job["httpTarget"]["oidcToken"]
                headers = {"X-CloudScheduler-ScheduleTime": moment}
                email = token["serviceAccountEmail"]
                found.append(
                    self.invoke(
                        email,
                        target["uri"],
                        token["audience"],
                        headers,
                        base64.b64decode(target["body"]),
                    )
                )
        self.running.settle()
        return found


def _takes(condition: str, entry: Mapping[str, Any]) -> bool:
    """Whether a sink's filter takes an entry: the few forms that ours has."""
    for part in condition.split(" AND "):
        name, _, wanted = part.partition("=")
        value: Any = entry
        for member in name.split("."):
            value = value[member]
        if wanted.startswith("~"):
            if not re.search(wanted.removeprefix("~").strip('"'), value):
                return False
        elif f'"{value}"' not in wanted:
            return False
    return True


def _json(data: bytes | None) -> Any:
    try:
        return None if data is None else json.loads(data)
    except ValueError:
        return data


def _switched_off(service: str) -> Any:
    """https://cloud.google.com/apis/design/errors#error_info"""
    detail = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "SERVICE_DISABLED",
        "domain": "googleapis.com",
        "metadata": {"service": service, "consumer": "projects/123456789"},
    }
    said = f"{service} has not been used in project {PROJECT} before or it is disabled."
    error = {"code": 403, "status": "PERMISSION_DENIED", "message": said, "details": [detail]}
    return {"error": error}


def _error(status: int, word: str, message: str) -> Any:
    return {"error": {"code": status, "status": word, "message": message}}


def _no_time(seconds: float) -> None:
    """Waiting takes none."""


@contextmanager
def cloud(folder: Path) -> Generator[Cloud]:
    """A project, whose credentials are those that are found."""
    there = Cloud(folder)
    clock = SimpleNamespace(time=lambda: there.now)
    with (
        patch.object(account, "signed_in", lambda: (there, PROJECT)),
        patch.object(runs, "time", clock),
        patch.object(api, "time", SimpleNamespace(sleep=_no_time)),
    ):
        yield there
