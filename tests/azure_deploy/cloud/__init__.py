"""A cloud in this process: ARM, storage, apps, vaults and task hubs, behind the adapter's seams.

Every request counts, and may be the one that who asks does not survive: before it does anything,
or after.
"""

import base64
import io
import json
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

import requests
from azure.core.credentials import AccessToken
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

from perdure_azure.deploy import seams
from tests.azure_deploy.cloud.arm import OPERATOR, SUBSCRIPTION, TENANT, Arm, Refused
from tests.azure_deploy.cloud.hubs import Channel, Hub

__all__ = ["OPERATOR", "SUBSCRIPTION", "TENANT", "Cloud", "Cut", "cloud"]

BLOB_OWNER = "b7e6dc6d-f1e8-4753-8033-0f276bb0955b"
BLOB_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
SECRETS_USER = "4633458b-17de-408a-b874-0445c86b69e6"
SECRETS_OFFICER = "b86a8fe4-44ce-4948-aee5-eccb2c155cd7"
DURABLE = "0ad04412-c4d5-4796-b79c-f76d14c8d402"
MOST = 2_000
"""Requests of a test: more are a loop."""
REFERENCE = "@Microsoft.KeyVault("


class Cut(BaseException):
    """The process ends here."""


class Call(NamedTuple):
    what: str


class Cloud:
    """All of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.arm = Arm()
        self.blobs: dict[str, tuple[bytes, str]] = {}
        self.vaults: dict[str, dict[str, str]] = {}
        self.deleted: dict[str, dict[str, str]] = {}
        self.hubs: dict[str, Hub] = {}
        self.pushed: dict[str, list[bytes]] = {}
        self.calls: list[Call] = []
        self.count = 0
        """Of all requests ever."""
        self.cut_at: int | None = None
        self.cut_after = False
        self.used: set[tuple[str, str, str]] = set()
        """Roles that something was done by: principal, role, scope."""
        self.denied: set[str] = set()
        """Hosts that refuse everybody."""
        self.bodies: list[bytes] = []

    # --- requests -------------------------------------------------------------------------------

    def request[T](self, what: str, done: Callable[[], T]) -> T:
        """One request; cut off where that is wanted."""
        self.calls.append(Call(what))
        self.count += 1
        assert len(self.calls) < MOST, f"it asks for ever: {self.calls[-3:]}"
        cut = self.cut_at == len(self.calls)
        if cut and not self.cut_after:
            raise Cut(what)
        found = done()
        if cut:
            raise Cut(what)
        return found

    def answer(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Any:
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query))
        assert headers["Authorization"] == f"Bearer {_token()}", url
        path = unquote(parts.path)
        host = parts.hostname or ""
        try:
            if host in self.denied:
                raise Refused(403, "AuthorizationFailed", "This request is not authorized.")
            if host == "management.azure.com":
                given = json.loads(body) if body else None
                return self.arm.answer(method, path, query, given)
            if host.endswith(".blob.core.windows.net"):
                return self._blob(method, host, path, headers, body)
            if ".scm." in host:
                return self._scm(method, host, path, query, body)
            if host.endswith(".vault.azure.net"):
                return self._vault(method, host, path, body)
        except Refused as refused:
            return refused.status, {}, refused.body
        raise AssertionError(f"nobody answers {url}")

    def _resource(self, kind: str, name: str) -> str:
        for one in self.arm.resources.values():
            if one["type"] == kind and one["name"] == name:
                return str(one["id"])
        raise Refused(404, "NotFound", f"there is no {name}")

    def _may(self, principal: str, role: str, scope: str) -> None:
        """That somebody has a role in a scope, or above it."""
        for who, what, where in self.arm.roles():
            if (who, what) == (principal, role) and scope.lower().startswith(where.lower()):
                self.used.add((who, what, where))
                return
        raise Refused(
            403, "AuthorizationPermissionMismatch", f"{principal} may not: {role} in {scope}"
        )

    def _blob(
        self, method: str, host: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> Any:
        account = self._resource("Microsoft.Storage/storageAccounts", host.partition(".")[0])
        container = path.split("/")[1]
        if (
            f"{account}/blobServices/default/containers/{container}".lower()
            not in self.arm.resources
        ):
            raise Refused(404, "ContainerNotFound", container)
        self._may(OPERATOR, BLOB_CONTRIBUTOR, account)
        assert "x-ms-version" in headers
        there = self.blobs.get(path)
        if method == "PUT":
            assert headers["x-ms-blob-type"] == "BlockBlob"
            if headers.get("if-none-match") == "*" and there is not None:
                return 409, {}, {"error": {"code": "BlobAlreadyExists", "message": "it is there"}}
            if "if-match" in headers and (there is None or there[1] != headers["if-match"]):
                return 412, {}, {"error": {"code": "ConditionNotMet", "message": "another version"}}
            self.blobs[path] = body, f'"{self.count}"'
            return 201, {}, None
        if there is None:
            return 404, {}, None
        if method == "DELETE":
            del self.blobs[path]
            return 202, {}, None
        return 200, {"etag": there[1]}, b"" if method == "HEAD" else there[0]

    def _scm(self, method: str, host: str, path: str, query: Mapping[str, str], body: bytes) -> Any:
        app = host.partition("-abc.")[0]
        site = self.arm.resources[self._resource("Microsoft.Web/sites", app).lower()]
        if path == "/api/deployments/latest":
            if app not in self.pushed:
                return 404, {}, None
            return 200, {}, {"status": 4, "status_text": ""}
        assert (method, path) == ("POST", "/api/publish")
        assert query == {"RemoteBuild": "true", "Deployer": "perdure"}
        self.pushed.setdefault(app, []).append(body)
        self._start(app, site, body)
        return 202, {}, {"id": "1"}

    def _start(self, app: str, site: Mapping[str, Any], content: bytes) -> None:
        """The app as its host starts it: settings, secrets, code, hub, by the app's identity."""
        (identity,) = site["identity"]["userAssignedIdentities"]
        principal = self.arm.resources[identity.lower()]["properties"]["principalId"]
        settings = {
            one["name"]: one["value"] for one in site["properties"]["siteConfig"]["appSettings"]
        }
        storage = self._resource(
            "Microsoft.Storage/storageAccounts", settings["AzureWebJobsStorage__accountName"]
        )
        self._may(principal, BLOB_OWNER, storage)
        self._may(principal, "3913510d-42f4-4e42-8a64-420c390055eb", self._insights())
        connection = dict(
            one.split("=", 1)
            for one in settings["DURABLE_TASK_SCHEDULER_CONNECTION_STRING"].split(";")
        )
        scheduler = connection["Endpoint"].removeprefix("https://").partition(".")[0]
        its = self._resource("Microsoft.DurableTask/schedulers", scheduler)
        hub = f"{its}/taskHubs/{settings['TASKHUB_NAME']}"
        assert hub.lower() in self.arm.resources
        self._may(principal, DURABLE, hub)
        values = {
            name: self._referred(value, principal) if value.startswith(REFERENCE) else value
            for name, value in settings.items()
        }
        folder = self.folder / f"{app}-{self.count}"
        folder.mkdir(parents=True)
        values["WEBSITE_HOSTNAME"] = site["properties"]["defaultHostName"]
        self._hub(settings["TASKHUB_NAME"]).push(content, folder, values)

    def _insights(self) -> str:
        (found,) = [
            one
            for one in self.arm.resources.values()
            if one["type"] == "Microsoft.Insights/components"
        ]
        return str(found["id"])

    def _referred(self, value: str, principal: str) -> str:
        said = dict(one.split("=") for one in value.removeprefix(REFERENCE)[:-1].split(";"))
        vault = self._resource("Microsoft.KeyVault/vaults", said["VaultName"])
        self._may(principal, SECRETS_USER, vault)
        return self.vaults.get(said["VaultName"], {}).get(said["SecretName"], value)

    def _vault(self, method: str, host: str, path: str, body: bytes) -> Any:
        name = host.partition(".")[0]
        self._may(OPERATOR, SECRETS_OFFICER, self._resource("Microsoft.KeyVault/vaults", name))
        values = self.vaults.setdefault(name, {})
        gone = self.deleted.setdefault(name, {})
        if path.startswith("/deletedsecrets/"):
            called = path.split("/")[2]
            if called not in gone:
                raise Refused(404, "SecretNotFound", "it is not deleted")
            if method == "POST":
                assert path.endswith("/recover")
                values[called] = gone.pop(called)
            return 200, {}, {}
        if method == "DELETE":
            called = path.removeprefix("/secrets/")
            gone[called] = values.pop(called)
            return 200, {}, {}
        if path == "/secrets":
            return 200, {}, {"value": [{"id": f"https://{host}/secrets/{one}"} for one in values]}
        assert method == "PUT"
        assert path.removeprefix("/secrets/") not in gone, "Key Vault says Conflict"
        values[path.removeprefix("/secrets/")] = str(json.loads(body)["value"])
        return 200, {}, {"id": f"https://{host}{path}"}

    def _hub(self, name: str) -> Hub:
        if name not in self.hubs:
            self.hubs[name] = Hub(name)
        return self.hubs[name]

    # --- for tests ------------------------------------------------------------------------------

    def channel(self, address: str) -> Channel:
        """A connection to `<endpoint>/<hub>`."""
        endpoint, _, name = address.partition("/")
        scheduler = self._resource("Microsoft.DurableTask/schedulers", endpoint.partition(".")[0])
        assert f"{scheduler}/taskHubs/{name}".lower() in self.arm.resources, name
        self._may(OPERATOR, DURABLE, scheduler)
        return Channel(self._hub(name), self.request)

    def work(self, seconds: float = 0.0) -> None:
        """Apps do all that is to do, and time goes on."""
        for hub in self.hubs.values():
            if hub.app is not None:
                hub.work(hub.now + seconds)

    def left(self) -> list[str]:
        """What is there."""
        return [
            *self.arm.groups,
            *self.arm.resources,
            *self.arm.deployments,
            *self.blobs,
        ]

    def close(self) -> None:
        for hub in self.hubs.values():
            hub.close()


class _Adapter(BaseAdapter):
    """Requests of `requests`, answered here."""

    def __init__(self, there: Cloud) -> None:
        super().__init__()
        self._there = there

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        body = request.body or b""
        content = body.encode() if isinstance(body, str) else bytes(body)
        method, url = str(request.method), str(request.url)
        what = f"{method} {url.partition('?')[0]}"

        def done() -> Any:
            return self._there.answer(method, url, request.headers, content)

        status, headers, said = self._there.request(what, done)
        response = requests.Response()
        response.status_code = status
        response.headers.update({"content-type": "application/json", **headers})
        raw = (
            said if isinstance(said, bytes) else b"" if said is None else json.dumps(said).encode()
        )
        response.raw = HTTPResponse(
            body=io.BytesIO(raw), headers=response.headers, status=status, preload_content=False
        )
        response.url, response.request, response.reason = url, request, str(status)
        return response

    def close(self) -> None: ...


class _Credential:
    def get_token(self, *_: str, **__: Any) -> AccessToken:
        return AccessToken(_token(), 4102444800)


def _signed_in(tenant: str) -> _Credential:
    return _Credential()


def _token() -> str:
    claims = base64.urlsafe_b64encode(json.dumps({"oid": OPERATOR}).encode()).decode().rstrip("=")
    return f"e30.{claims}.x"


@contextmanager
def cloud(folder: Path) -> Generator[Cloud]:
    """A cloud, which the adapter finds."""
    there = Cloud(folder)
    session = requests.Session()
    session.mount("https://", _Adapter(there))
    seams_before = {
        name: getattr(seams, name) for name in ("credential", "session", "channel", "pause", "LOOK")
    }
    put: dict[str, Any] = {
        "credential": _signed_in,
        "session": lambda: session,
        "channel": there.channel,
        "pause": lambda: None,
        "LOOK": 0,
    }
    try:
        for name, value in put.items():
            setattr(seams, name, value)
        yield there
    finally:
        for name, value in seams_before.items():
            setattr(seams, name, value)
        there.close()
