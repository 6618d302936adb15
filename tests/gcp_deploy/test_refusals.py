"""What Google refuses for who asks is said as what to do, and leaves with 5."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from google.auth.exceptions import DefaultCredentialsError, RefreshError

from perdure.cli import main
from perdure.deployment import CloudRefused, DeployError, Place
from perdure_gcp.deploy import account
from perdure_gcp.deploy.api import told_sign_in
from perdure_gcp.deploy.verbs import GcpDeployer
from tests.gcp_deploy.cloud import PROJECT, Cloud
from tests.gcp_deploy.projects import small


def silent(line: str) -> None:
    """What is being done, said to nobody."""


class Refusing:
    """A session of which every request ends alike."""

    def __init__(self, end: Callable[[], tuple[int, Any]]) -> None:
        self._end = end
        self.asked = 0

    def request(self, method: str, url: str, **given: Any) -> requests.Response:
        """The one answer."""
        self.asked += 1
        status, answer = self._end()
        made = requests.Response()
        made.status_code = status
        made._content = json.dumps(answer).encode()  # pyright: ignore[reportPrivateUsage]
        return made


def error(status: int, word: str, reason: str = "", **metadata: str) -> tuple[int, Any]:
    details = [{"reason": reason, "metadata": metadata}] if reason else []
    said = {"code": status, "status": word, "message": "said so", "details": details}
    return status, {"error": said}


def broken() -> tuple[int, Any]:
    raise requests.ConnectionError("no route")


def expired() -> tuple[int, Any]:
    stale: Any = RefreshError  # Any: it has no types
    raise stale("invalid_grant")


CASES = [
    (lambda: error(401, "UNAUTHENTICATED"), "does not know these credentials", 1),
    (lambda: error(403, "PERMISSION_DENIED"), "who these credentials are of may not", 1),
    (
        lambda: error(
            403, "PERMISSION_DENIED", "IAM_PERMISSION_DENIED",
            permission="resourcemanager.projects.get",
        ),
        "Google refuses resourcemanager.projects.get on v3/projects/demo-project",
        1,
    ),
    (
        lambda: error(
            403, "PERMISSION_DENIED", "SERVICE_DISABLED",
            service="cloudresourcemanager.googleapis.com", activationUrl="https://console.example",
        ),
        "do it at https://console.example",
        1,
    ),
    (lambda: error(429, "RESOURCE_EXHAUSTED"), "takes no more requests just now", 5),
    (broken, "Google cannot be reached", 5),
    (expired, "cannot be renewed", 1),
]  # fmt: skip


@pytest.mark.usefixtures("there")
@pytest.mark.parametrize(("end", "said", "asked"), CASES)
def test_a_refusal_says_what_to_do(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    end: Callable[[], tuple[int, Any]],
    said: str,
    asked: int,
) -> None:
    place = small(folder)
    session = Refusing(end)
    monkeypatch.setattr(account, "signed_in", lambda: (session, PROJECT))
    with pytest.raises(CloudRefused, match=said):
        GcpDeployer().status(place, silent)
    assert session.asked == asked
    monkeypatch.chdir(folder)
    assert main.run(["status", "prod"]) == 5


def test_credentials_that_are_not_there(
    there: Cloud, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = small(folder)

    def nothing() -> object:
        absent: Any = DefaultCredentialsError  # Any: it has no types
        raise told_sign_in(absent("none"))

    monkeypatch.setattr(account, "signed_in", nothing)
    with pytest.raises(CloudRefused, match="no Google credentials were found: sign in"):
        GcpDeployer().plan(place, silent)


def test_a_project_that_uses_no_api_yet_is_looked_at(there: Cloud, folder: Path) -> None:
    place = small(folder)
    assert not there.kept.apis
    first = GcpDeployer().plan(place, silent)
    rows: Any = first.data["plan"]
    assert [row["new"] for row in rows] == [True, True]
    assert GcpDeployer().status(place, silent).lines == (
        "`prod` is not deployed; `perdure deploy prod` does it",
    )
    gone = GcpDeployer().destroy(place, silent, flow=None, with_runs=False, with_data=False)
    assert gone.lines == ("prod: nothing is deployed",)
    assert not there.kept.apis


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"log_days": 7}, "`log_days` is not kept"),
        ({"alarm_topic": "arn:aws:sns:x"}, "`alarm_topic` is one of AWS"),
        ({"allow": ("s3:GetObject *",)}, "`s3:GetObject \\*` is no role"),
        ({"memory": 8192}, "`memory` is 128 to 4096"),
        ({"region": ""}, "says no region"),
        ({"project": ""}, 'write `project = "demo-project"`'),
    ],
)
def test_settings_that_nothing_keeps_are_refused(
    there: Cloud, folder: Path, change: dict[str, Any], said: str
) -> None:
    place: Place = small(folder)
    other = place._replace(environment=place.environment._replace(**change))
    with pytest.raises(DeployError, match=said):
        GcpDeployer().plan(other, silent)
    assert there.calls == []


def test_two_environments_that_are_called_alike_are_told_apart(there: Cloud, folder: Path) -> None:
    place = small(folder)
    GcpDeployer().deploy(place, silent)
    before = there.left()
    other = place._replace(environment=place.environment._replace(name="Prod"))
    verbs: tuple[Callable[[], object], ...] = (
        lambda: GcpDeployer().deploy(other, silent),
        lambda: GcpDeployer().plan(other, silent),
        lambda: GcpDeployer().destroy(other, silent, flow=None, with_runs=True, with_data=True),
    )
    for verb in verbs:
        with pytest.raises(DeployError, match="is of environment `prod` of shop"):
            verb()
    assert there.left() == before
