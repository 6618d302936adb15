"""Webhooks of a deployed flow: signed deliveries in, runs and events out, the rest refused."""

import hashlib
import hmac
import json
from pathlib import Path

import boto3
import pytest

from perdure.deployment import Place, Runs
from perdure.runtime.engine import Completed
from perdure.store.runs import find_run, list_runs
from perdure_aws.deploy.verbs import AwsDeployer
from tests.aws_deploy.cloud import Cloud
from tests.aws_deploy.projects import small

KEY = "It's a Secret to Everybody"
TRIAGE = """
from dataclasses import dataclass

from perdure import Delivery, GitHub, Webhook, event, flow, secret, step


@dataclass
class Issue:
    number: int
    title: str


@dataclass
class Decision:
    approved: bool
    note: str = ""


@step
async def draft(issue: Issue) -> str:
    return f"about {issue.title}"


def opened(delivery: Delivery):
    body = delivery.json
    if body.get("action") != "opened":
        return None
    return {"issue": {"number": body["issue"]["number"], "title": body["issue"]["title"]}}


@flow(on=Webhook("/github", verify=GitHub(secret("GITHUB_SECRET")), start=opened))
async def triage(issue: Issue) -> str:
    text = await draft(issue)
    decision = await event("approval", Decision, timeout="3d")
    return text if decision.approved else f"rejected: {decision.note}"
"""


def signed(body: bytes, id: str = "d-1", key: str = KEY) -> dict[str, str]:
    digest = hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
    return {
        "content-type": "application/json",
        "X-GitHub-Delivery": id,
        "X-Hub-Signature-256": f"sha256={digest}",
    }


def opened(number: int = 7, title: str = "it crashes") -> bytes:
    issue = {"number": number, "title": title}
    return json.dumps({"action": "opened", "issue": issue}).encode()


@pytest.fixture
def place(there: Cloud, folder: Path) -> Place:
    place = small(folder, TRIAGE)
    AwsDeployer().deploy(place, lambda line: None)
    boto3.client("secretsmanager").create_secret(Name="shop/prod/GITHUB_SECRET", SecretString=KEY)
    return place


@pytest.fixture
def runs(place: Place) -> Runs:
    return AwsDeployer().connect(place)


def url(there: Cloud) -> str:
    (api,) = there.front.apis
    return f"https://{api}.execute-api.us-east-1.amazonaws.com"


def test_a_signed_delivery_starts_a_run(there: Cloud, runs: Runs) -> None:
    body = opened()
    answer = there.request(f"{url(there)}/github", body, signed(body))
    assert answer.status == 202, answer
    run = json.loads(answer.body)["run"]
    assert find_run(runs.store, run).flow == "app:triage"
    again = there.request(f"{url(there)}/github", body, signed(body))
    assert (again.status, json.loads(again.body)["run"]) == (200, run)
    assert len(list_runs(runs.store)) == 1
    runs.send(run, "approval", {"approved": True}, id="e")
    assert runs.outcome(run) == Completed("about it crashes")
