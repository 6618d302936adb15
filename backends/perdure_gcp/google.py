"""What the sites' service says to Google: requests with its own token, by the stdlib alone.

https://workflowexecutions.googleapis.com/$discovery/rest?version=v1
"""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from hashlib import sha256
from typing import Final, final

from perdure.codec import Json
from perdure.sites.state import fields, text
from perdure.store.protocol import FORMAT, Key, RunStore
from perdure_gcp.firestore import Send
from perdure_gcp.generations import argument_of

__all__ = ["API", "Callbacks", "Executions", "Session"]

TOKEN_URL: Final = (
    "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token"
)
API: Final = "https://workflowexecutions.googleapis.com/v1/"
ATTEMPTS: Final = 4


@final
class Session:
    """Requests under the identity of the service; statuses from 500 on are tried again."""

    def __init__(self) -> None:
        self._token = ""
        self._until = 0.0

    def __call__(self, method: str, url: str, body: Json = None, /) -> tuple[int, Json]:
        """One request, with a JSON body if there is one."""
        status, answer = self._once(method, url, body)
        for attempt in range(ATTEMPTS - 1):
            if status < 500:
                break
            time.sleep(0.2 * 2**attempt)
            status, answer = self._once(method, url, body)
        return status, answer

    def _once(self, method: str, url: str, body: Json) -> tuple[int, Json]:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self._bearer()}", "Content-Type": "application/json"}
        request = urllib.request.Request(url, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status, _json(response.read())
        except urllib.error.HTTPError as refused:
            return refused.code, _json(refused.read())
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            return 503, None

    def _bearer(self) -> str:
        """The token of the service, kept until a minute before it ends."""
        if time.time() > self._until:
            request = urllib.request.Request(TOKEN_URL, headers={"Metadata-Flavor": "Google"})
            with urllib.request.urlopen(request, timeout=10) as response:
                given = json.loads(response.read())
            self._token = given["access_token"]
            self._until = time.time() + given["expires_in"] - 60
        return self._token


def _json(content: bytes) -> Json:
    try:
        read: Json = json.loads(content)
    except ValueError:
        return None
    return read


@final
class Callbacks:
    """Rings callbacks of waiting executions: a token is a callback's URL."""

    def __init__(self, send: Send) -> None:
        self._send = send

    def ring(self, token: str) -> bool:
        """A request to the callback; False when nobody waits any more."""
        status, _ = self._send("POST", token, {})
        return status == 200

    def fail(self, token: str, error: str, cause: str) -> bool:
        """Likewise: who waits asks the sites what became of the wait."""
        return self.ring(token)


@final
class Executions:
    """Executions of the project's workflows, by the names that their runs give them.

    The API lets nobody choose the id of an execution: it carries a label, and the run store keeps
    its id. A start whose answer was lost finds what it made by the label.
    """

    def __init__(self, send: Send, store: RunStore, workflows: Mapping[str, str]) -> None:
        """`workflows`: projects/P/locations/L/workflows/W of each flow, by its reference."""
        self._send = send
        self._store = store
        self._workflows = workflows

    def start(self, flow: str, name: str, given: Mapping[str, Json]) -> None:
        """A new execution, unless there is one of that name."""
        if self._store.get(_key(name)) is not None:
            return
        workflow = self._workflows[flow]
        found = self._labelled(workflow, name)
        if found is None:
            asked: Json = {
                "argument": json.dumps(argument_of(given, self._store), ensure_ascii=False),
                "labels": {"perdure": _label(name)},
            }
            status, answer = self._send("POST", f"{API}{workflow}/executions", asked)
            if status != 200 or not isinstance(answer, Mapping):
                raise RuntimeError(f"Workflows answers {status} to a start of {workflow}: {answer}")
            found = str(answer["name"])
        noted: dict[str, Json] = {"format": FORMAT, "execution": found, "run": _run_of(given)}
        self._store.put_if_absent(_key(name), noted)

    def stop(self, flow: str, name: str) -> None:
        """Cancel an execution, unless it has ended."""
        known = self._store.get(_key(name))
        found = None if known is None else known.body["execution"]
        execution = found if isinstance(found, str) else self._labelled(self._workflows[flow], name)
        if execution is not None:
            self._send("POST", f"{API}{execution}:cancel", {})

    def events(self, flow: str, name: str) -> int:
        """Nobody asks: an execution of Workflows has steps, which its answers count."""
        return 0

    def _labelled(self, workflow: str, name: str) -> str | None:
        """The execution that carries the label of this name."""
        query = f"?filter=labels.perdure%3D%22{_label(name)}%22&view=BASIC"
        status, answer = self._send("GET", f"{API}{workflow}/executions{query}")
        if status != 200 or not isinstance(answer, Mapping):
            raise RuntimeError(f"Workflows answers {status} to a list of {workflow}: {answer}")
        found = answer.get("executions")
        first = found[0] if isinstance(found, list) and found else None
        return str(first["name"]) if isinstance(first, Mapping) else None


def _run_of(given: Mapping[str, Json]) -> Json:
    """The run that an execution is of, be it a branch."""
    whole = fields(json.loads(text(given["state"]))) if "branch" in given else given
    return fields(whole["run"])["id"] if "run" in whole else None


def _key(name: str) -> Key:
    return Key("executions", name)


def _label(name: str) -> str:
    """Labels have 63 characters of a-z, 0-9, `_` and `-`."""
    return sha256(name.encode()).hexdigest()[:60]
