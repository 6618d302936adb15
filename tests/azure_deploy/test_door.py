"""Webhooks, approval links and schedules of a deployed app."""

import hashlib
import hmac
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import azure.functions as func
import pytest

from perdure.runtime.engine import Completed
from perdure.store.runs import list_runs
from perdure_azure.deploy.verbs import AzureDeployer
from tests.azure_deploy.cloud import Cloud
from tests.azure_deploy.cloud.hubs import Hub
from tests.azure_deploy.projects import deploy, ignored, rows, small

SOURCE = """
from perdure import Cron, GitHub, Webhook, approval_link, event, flow, secret, step

@step
async def asked() -> str:
    return approval_link("approval", True, expires="1h")

@step
async def told(link: str) -> None:
    print(link)

@flow(on=[
    Webhook("/github", verify=GitHub(secret("HOOK")), key=lambda d: f"issue-{d.json['n']}"),
    Webhook("/done", verify=GitHub(secret("HOOK")), event="done", run=lambda d: d.json["run"]),
    Cron("*/5 * * * *", tz="Europe/Berlin", input={"n": 0}),
])
async def main(n: int) -> str:
    link = await asked()
    await told(link)
    approved = await event("approval", bool)
    done = await event("done")
    return f"{n} {approved} {done['with']}"
"""
KEY = "a-key-of-webhooks"


@pytest.fixture
def hub(there: Cloud, folder: Path) -> Hub:
    place = small(folder, SOURCE)
    deploy(place)
    AzureDeployer().secrets(place).put("HOOK", KEY)
    file = folder / "app.py"
    file.write_text(file.read_text() + "\n# the app starts again, and finds the secret\n")
    from tests.azure_deploy.projects import compile_project

    deploy(compile_project(folder))
    (found,) = there.hubs.values()
    return found


def posted(hub: Hub, function: str, path: str, body: Any, key: str = KEY) -> Any:
    content = json.dumps(body).encode()
    signed = hmac.new(key.encode(), content, hashlib.sha256).hexdigest()
    headers = {"x-hub-signature-256": f"sha256={signed}", "x-github-delivery": str(body)}
    request = func.HttpRequest("POST", f"https://app.example{path}", headers=headers, body=content)
    answer = hub.call(function, req=request)
    return answer.status_code, answer.get_body().decode()


def test_a_webhook_starts_a_run_a_link_and_another_webhook_end_it(
    hub: Hub, there: Cloud, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = small(folder, (folder / "app.py").read_text())
    (row,) = rows(AzureDeployer().status(place, ignored), "flows")
    assert [url.rpartition(".net")[2] for url in row["webhooks"]] == ["/github", "/done"]
    assert posted(hub, "perdure_door_1", "/github", {"n": 7}, key="wrong")[0] == 401
    assert hub.state("issue-7") is None
    assert posted(hub, "perdure_door_1", "/github", {"n": 7}) == (202, '{"run": "issue-7"}')
    assert posted(hub, "perdure_door_1", "/github", {"n": 7})[0] == 200, "it is the same run"
    there.work()
    link = re.search(r"https://\S+(/approve/\S+)", capsys.readouterr().out)
    assert link is not None
    assert link[0].startswith("https://perdure-main-")
    opened = func.HttpRequest("POST", f"https://app.example{link[1]}", body=b"")
    assert hub.call("perdure_door_3", req=opened).status_code == 200
    there.work()
    assert hub.call("perdure_door_3", req=opened).status_code == 410, "it was used"
    assert posted(hub, "perdure_door_2", "/done", {"run": "issue-7", "with": "it"})[0] == 202
    there.work()
    runs = AzureDeployer().connect(place)
    assert runs.outcome("issue-7") == Completed("7 True it")
    late = posted(hub, "perdure_door_2", "/done", {"run": "issue-7", "with": "more"})
    assert late == (404, '{"error": "no run waits for this"}')


def test_a_schedule_starts_one_run_for_each_moment(hub: Hub, there: Cloud, folder: Path) -> None:
    place = small(folder, (folder / "app.py").read_text())
    for _ in range(2):
        hub.call("perdure_schedule_1", timer=SimpleNamespace(past_due=False))
    (record, *others) = list_runs(AzureDeployer().connect(place).store)
    # Five minutes may have passed between the two calls.
    assert len(others) <= 1
    moment = re.search(r"\d{8}T\d{4}Z", record.run)
    assert moment is not None
    due = datetime.strptime(moment[0], "%Y%m%dT%H%MZ").replace(tzinfo=UTC)
    assert timedelta(0) <= datetime.now(UTC) - due < timedelta(minutes=10)
