"""Asks the open questions of a real project of Google Cloud, by two workflows that it removes.

https://workflows.googleapis.com/$discovery/rest?version=v1
https://workflowexecutions.googleapis.com/$discovery/rest?version=v1
"""

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from typing import Final, final

from perdure.codec import Json
from perdure.probing import NoCredentials, ProbeFailed
from perdure.sites.state import fields
from perdure_gcp.probe.questions import APART, BY_CHANCE, TOGETHER, apart, together
from perdure_gcp.workflows.problems import OPEN_QUESTIONS

__all__ = ["PROBER", "REFUSED", "Asking", "GcpProber", "Send"]

type Send = Callable[[str, str, Json], tuple[int, Json]]
"""A request: method, URL, body; the status and the JSON that came back."""

TOKEN: Final = "CLOUDSDK_AUTH_ACCESS_TOKEN"
WORKFLOWS: Final = "https://workflows.googleapis.com/v1/"
EXECUTIONS: Final = "https://workflowexecutions.googleapis.com/v1/"
NAME: Final = "perdure-probe"
PATIENCE: Final = 180
"""Seconds that an operation or an execution may take."""
REFUSED: Final[Json] = {"deployment": "refused"}
"""The answer of what does not deploy."""


@final
class GcpProber:
    """See `perdure.probing.Prober`."""

    target: str = "gcp"
    questions: Mapping[str, str] = OPEN_QUESTIONS

    def plan(self) -> Iterable[str]:
        """What will be made."""
        return (
            f"a workflow `{NAME}`, executed once: it asks {len(TOGETHER)} questions in some 300"
            " steps, and calls back to itself and to https://example.com/",
            f"a workflow `{NAME}-apart`, deployed and executed {len(APART)} times, for what a"
            " deployment may refuse or what ends an execution",
            "both are deleted at the end, also when something fails",
            "about 500 internal and 5 external steps: less than $0.01, and within the free tier of"
            " a month ($0.01 and $0.025 for 1,000)",
        )

    def assumed(self) -> Mapping[str, Json]:
        """What our engine answers when it is not strict."""
        from perdure_gcp.probe.assumed import assumed

        answers = assumed()
        return {name: answers[name] for name in self.questions if name not in BY_CHANCE}

    def ask(self, options: Mapping[str, str]) -> Mapping[str, Json]:
        """`project`, `region`; the account of the workflow may be named as `account`."""
        token = os.environ.get(TOKEN)
        if not token:
            raise NoCredentials(f"set {TOKEN}, as to `gcloud auth print-access-token`")
        if "project" not in options:
            raise NoCredentials("name the project: --set project=PROJECT")
        return Asking(_sender(token), options, time.sleep).answers()


PROBER: Final = GcpProber()


@final
class Asking:
    """One probe of one project."""

    def __init__(self, send: Send, options: Mapping[str, str], sleep: Callable[[float], None]):
        self._send = send
        self._sleep = sleep
        self._account = options.get("account", "")
        place = f"projects/{options['project']}/locations/{options.get('region', 'us-central1')}"
        self._place = place

    def answers(self) -> dict[str, Json]:
        """Every question's answer; what was made is removed whatever happens."""
        found: dict[str, Json] = {}
        try:
            answered = self._one(NAME, json.dumps(together()))
            if isinstance(answered, Mapping) and "value" in answered:
                found.update(fields(answered["value"]))
            for question in OPEN_QUESTIONS:
                if question not in found:
                    source = apart(question)
                    text = source if isinstance(source, str) else json.dumps(source)
                    found[question] = self._one(f"{NAME}-apart", text)
        finally:
            for name in (NAME, f"{NAME}-apart"):
                self._send("DELETE", f"{WORKFLOWS}{self._place}/workflows/{name}", None)
        return found

    def _one(self, name: str, source: str) -> Json:
        """Deploy and execute: the value, the error's tags, or that it was refused."""
        if not self._deployed(name, source):
            return REFUSED
        url = f"{EXECUTIONS}{self._place}/workflows/{name}/executions"
        execution = self._asked("POST", url, {"argument": "{}"})
        execution = self._until(
            f"{EXECUTIONS}{execution['name']}", lambda one: one.get("state") not in _UNDER_WAY
        )
        if execution.get("state") == "SUCCEEDED":
            value: Json = json.loads(str(execution.get("result", "null")))
            return {"value": value}
        return {"error": _tags(fields(execution.get("error") or {}))}

    def _deployed(self, name: str, source: str) -> bool:
        url = f"{WORKFLOWS}{self._place}/workflows"
        body: dict[str, Json] = {"sourceContents": source}
        if self._account:
            body["serviceAccount"] = self._account
        status, answer = self._send("PATCH", f"{url}/{name}?updateMask=sourceContents", body)
        if status == 404:
            status, answer = self._send("POST", f"{url}?workflowId={name}", body)
        if status == 400:
            return False
        self._check(status, answer)
        operation = self._until(
            f"{WORKFLOWS}{fields(answer)['name']}", lambda one: bool(one.get("done"))
        )
        return "error" not in operation

    def _until(self, url: str, over: Callable[[Mapping[str, Json]], bool]) -> Mapping[str, Json]:
        """Ask until it is over."""
        for _ in range(PATIENCE):
            answer = self._asked("GET", url, None)
            if over(answer):
                return answer
            self._sleep(1)
        raise ProbeFailed(f"{url} did not end within {PATIENCE} seconds")

    def _asked(self, method: str, url: str, body: Json) -> Mapping[str, Json]:
        status, answer = self._send(method, url, body)
        self._check(status, answer)
        return fields(answer)

    def _check(self, status: int, answer: Json) -> None:
        if status in (401, 403):
            raise NoCredentials(f"Google refuses the token: {_message(answer)}")
        if status >= 400:
            raise ProbeFailed(f"Google answers {status}: {_message(answer)}")


_UNDER_WAY: Final = ("ACTIVE", "QUEUED", "STATE_UNSPECIFIED", None)


def _tags(error: Mapping[str, Json]) -> Json:
    """The tags of an error map; other errors as they are."""
    try:
        payload: Json = json.loads(str(error.get("payload", "null")))
    except ValueError:
        return str(error.get("payload"))
    if isinstance(payload, Mapping) and "tags" in payload:
        return payload["tags"]
    return payload


def _message(answer: Json) -> str:
    error = answer.get("error") if isinstance(answer, Mapping) else None
    return str(error.get("message")) if isinstance(error, Mapping) else str(answer)


def _sender(token: str) -> Send:
    def send(method: str, url: str, body: Json) -> tuple[int, Json]:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        request = urllib.request.Request(url, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, _json(response.read())
        except urllib.error.HTTPError as refused:
            return refused.code, _json(refused.read())
        except OSError as error:
            raise ProbeFailed(f"{url} cannot be reached: {error}") from error

    return send


def _json(content: bytes) -> Json:
    try:
        read: Json = json.loads(content)
    except ValueError:
        return None
    return read
