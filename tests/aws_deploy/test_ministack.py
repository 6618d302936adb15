# pyright: reportUnknownMemberType=false
# (the stubs know `client` by the names of all services, also of those that are not installed)
"""Whole deployments into ministack: stacks, functions in processes of their own, runs to their end.

What is deployed is what `compile` wrote, but for what `ministack_faults` mends in the requests.
"""

import json
import os
import time
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

import boto3
import click
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from botocore.session import get_session

from perdure.cli.histories import DeployedHistory
from perdure.cli.tree import draw
from perdure.codec import Json
from perdure.deployment import Place, Runs
from perdure.runtime.engine import Completed, Failed, Outcome
from perdure.store.match import live_waiters
from perdure.store.runs import find_run, list_runs
from perdure_aws.deploy import stacks
from perdure_aws.deploy.verbs import AwsDeployer
from tests.aws_deploy.hooks import sender
from tests.aws_deploy.ministack import ACCOUNT, ministack
from tests.aws_deploy.ministack_faults import MISSING, without_missing_types
from tests.aws_deploy.projects import change, compile_project, examples, small, text_of
from tests.aws_deploy.test_versions import FLOW
from tests.webhooks.senders import SECRETS

PATIENCE = 90.0
_api_call: Any = vars(BaseClient)["_make_api_call"]


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    def call(self: BaseClient, operation_name: str, api_params: Mapping[str, Any]) -> Any:
        given = {**api_params}
        if "TemplateBody" in given and operation_name != "ValidateTemplate":
            given["TemplateBody"] = without_missing_types(given["TemplateBody"])
        return _api_call(self, operation_name, given)

    with (
        ministack(tmp_path_factory.mktemp("ministack")) as variables,
        patch.dict(os.environ, variables),
        patch.object(BaseClient, "_make_api_call", call),
        patch.object(stacks, "POLL_SECONDS", 0.2),
    ):
        yield


def here(place: Place) -> Place:
    return place._replace(environment=place.environment._replace(account=ACCOUNT))


def deployed(place: Place) -> Runs:
    AwsDeployer().deploy(place, lambda line: None)
    return AwsDeployer().connect(place)


def outcome(runs: Runs, run: str) -> Outcome:
    end = time.monotonic() + PATIENCE
    while (found := runs.outcome(run)) is None:
        assert time.monotonic() < end, f"{run} takes too long"
        time.sleep(0.2)
    return found


def waits(runs: Runs, run: str) -> None:
    """Until the run waits for an event."""
    end = time.monotonic() + PATIENCE
    while not live_waiters(runs.store, run):
        assert time.monotonic() < end, f"{run} does not wait"
        time.sleep(0.2)


def test_the_examples_run_to_their_ends(there: None, folder: Path) -> None:
    place = here(examples(folder))
    runs = deployed(place)
    order: Json = {"id": "o-1", "items": ["tea", "cup"], "card": "4242"}
    declined: Json = {"id": "o-2", "items": ["tea", "cup"], "card": "0000"}
    runs.start("examples.triage:triage", {"issue": {"number": 1, "title": "it crashes"}}, "triage")
    runs.start("examples.agent:agent", {"question": "What is the weather in Oslo?"}, "agent")
    runs.start("examples.research:research", {"topic": "tea"}, "research")
    runs.start("examples.saga:saga", {"order": order}, "saga")
    runs.start("examples.saga:saga", {"order": declined}, "declined")
    waits(runs, "saga")
    runs.send("saga", "shipped", None, id="shipped")
    waits(runs, "triage")
    runs.send("triage", "approval", {"approved": True}, id="approved")
    assert outcome(runs, "triage") == Completed("https://issues.example/1#reply")
    assert outcome(runs, "agent") == Completed("Oslo: 7 degrees, rain; 42")
    assert isinstance(outcome(runs, "research"), Completed)
    assert isinstance(outcome(runs, "saga"), Completed)
    assert isinstance(outcome(runs, "declined"), Failed)
    record = find_run(runs.store, "triage")
    tree = click.unstyle("\n".join(draw(DeployedHistory(runs), record, time.time())))
    assert "✓ classify(" in tree
    assert "✓ post(" in tree
    destroyed = AwsDeployer().destroy(
        place, lambda line: None, flow=None, with_runs=True, with_data=True
    )
    assert destroyed.done
    assert boto3.client("lambda").list_functions()["Functions"] == []
    assert boto3.client("dynamodb").list_tables()["TableNames"] == []
    assert boto3.client("s3").list_buckets()["Buckets"] == []


def test_a_run_that_waits_through_a_deploy_ends_on_its_old_code(there: None, folder: Path) -> None:
    runs = deployed(here(small(folder, FLOW)))
    runs.start("app:main", {}, "before")
    waits(runs, "before")
    runs = deployed(here(change(folder, 'return "old"', 'return "new"')))
    runs.start("app:main", {}, "after")
    waits(runs, "after")
    for run in ("before", "after"):
        runs.send(run, "go", "go", id=run)
    assert outcome(runs, "before") == Completed(["old", "go", "old", "old flow"])
    assert outcome(runs, "after") == Completed(["new", "go", "new", "old flow"])
    AwsDeployer().destroy(
        here(small(folder, FLOW)), lambda line: None, flow=None, with_runs=True, with_data=True
    )


HOOKED = """
def opened(delivery: Delivery):
    body = delivery.json
    issue = {"number": body["issue"]["number"], "title": body["issue"]["title"]}
    return {"issue": issue} if body["action"] == "opened" else None


@flow(
    on=[
        Webhook("/github", verify=GitHub(secret("GITHUB_SECRET")), start=opened),
        Webhook(
            "/decided",
            verify=StandardWebhooks(secret("STANDARD_SECRET")),
            event="approval",
            run=lambda delivery: delivery.json["run"],
            payload=lambda delivery: delivery.json["decision"],
        ),
    ]
)
async def triage("""


def posted(url: str, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, Any]:
    """A request as its sender makes it; ministack knows the API by the host's name."""
    parts = urlsplit(url)
    connection = HTTPConnection("127.0.0.1", parts.port or 80, timeout=PATIENCE)
    sent = {"Host": parts.netloc, "Content-Type": "application/json", **headers}
    connection.request("POST", path, body, sent)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    is_json = "json" in answer.getheader("Content-Type", "")
    return answer.status, json.loads(content) if content and is_json else None


def test_a_signed_webhook_comes_in_an_event_follows_and_the_result_goes_out(
    there: None, folder: Path
) -> None:
    place = examples(folder, "triage")
    file = folder / "examples" / "triage.py"
    names = "Delivery, GitHub, Retry, StandardWebhooks, Webhook, event, flow, secret, step"
    text = file.read_text().replace("import Retry, event, flow, step", f"import {names}")
    file.write_text(text.replace("@flow\nasync def triage(", HOOKED))
    place = here(compile_project(folder))
    secrets = AwsDeployer().secrets(place)
    for name in ("GITHUB_SECRET", "STANDARD_SECRET"):
        secrets.put(name, SECRETS[name])
    made: Any = AwsDeployer().deploy(place, lambda line: None).data["webhooks"]  # Any: JSON
    url = made["triage"][0].removesuffix("/github")
    runs = AwsDeployer().connect(place)
    issue = {"number": 1, "title": "it crashes"}
    body = json.dumps({"action": "opened", "issue": issue}).encode()
    signed = sender("github").headers(body, time.time(), "d-1")
    assert posted(url, "/github", body + b" ", signed)[0] == 401
    assert posted(url, "/github", body, {})[0] == 401
    status, said = posted(url, "/github", body, signed)
    assert status == 202, said
    run = said["run"]
    waits(runs, run)
    assert posted(url, "/github", body, signed) == (200, {"run": run})
    for decision, wanted in (({"approved": "maybe"}, 422), ({"approved": True}, 202)):
        body = json.dumps({"run": run, "decision": decision}).encode()
        signed = sender("standard").headers(body, time.time(), f"e-{wanted}")
        assert posted(url, "/decided", body, signed)[0] == wanted
    assert outcome(runs, run) == Completed("https://issues.example/1#reply")
    late = sender("standard").headers(body, time.time() - 301, "late")
    assert posted(url, "/decided", body, late)[0] == 401
    assert [one.run for one in list_runs(runs.store)] == [run]


ASKING = """
from perdure import Cron, approval_link, event, flow, step

@step
async def ask(file: str) -> None:
    with open(file, "w") as out:
        print(approval_link("approved", True, expires="1h"), file=out)
        print(approval_link("approved", False, expires="1h"), file=out)

@flow(on=[Cron("0 9 * * MON-FRI", tz="Europe/Berlin", input={"file": "FILE"})])
async def main(file: str) -> bool:
    await ask(file)
    return await event("approved", bool)
"""


def test_a_moment_of_a_schedule_starts_a_run_and_a_link_decides_it(
    there: None, folder: Path
) -> None:
    file = folder / "links"
    place = here(small(folder, ASKING.replace("FILE", str(file))))
    runs = deployed(place)
    scheduler: Any = get_session().create_client("scheduler")
    (listed,) = scheduler.list_schedules(NamePrefix="perdure-shop-prod-main")["Schedules"]
    made = scheduler.get_schedule(GroupName=listed["GroupName"], Name=listed["Name"])
    assert made["ScheduleExpression"] == "cron(0 9 ? * 2-6 *)"
    # ministack tells of a moment as it comes, and does not say which one it is: told here.
    told = made["Target"]["Input"].replace("<aws.scheduler.scheduled-time>", "2026-11-23T08:00:00Z")
    functions: Any = boto3.client("lambda")
    answers = [functions.invoke(FunctionName=made["Target"]["Arn"], Payload=told) for _ in range(2)]
    (run,), again = (json.loads(said["Payload"].read()) for said in answers)
    assert again == [run]
    assert run.startswith("main-20261123T0800Z-")
    waits(runs, run)
    yes, no = file.read_text().split()
    parts = urlsplit(yes)
    url = f"{parts.scheme}://{parts.netloc}"
    assert posted(url, parts.path[:-2], b"", {})[0] == 401
    assert runs.outcome(run) is None
    assert posted(url, parts.path, b"", {})[0] == 200
    assert outcome(runs, run) == Completed(True)
    assert posted(url, urlsplit(no).path, b"", {})[0] == 410
    assert [one.run for one in list_runs(runs.store) if one.run.startswith("main-")] == [run]
    AwsDeployer().destroy(place, lambda line: None, flow=None, with_runs=True, with_data=True)
    assert scheduler.list_schedules()["Schedules"] == []


# --- faults of ministack -------------------------------------------------------------------------


def test_ministack_takes_no_template_with_versions_and_aliases_of_machines(
    there: None, folder: Path
) -> None:
    template = text_of(small(folder).project.root / "app.py", "template.json")
    assert all(kind in template for kind in MISSING)
    client = boto3.client("cloudformation")
    names = ("Table", "CodeBucket", "CodeKey", "Artifacts")
    parameters = [{"ParameterKey": name, "ParameterValue": "x"} for name in names]
    with pytest.raises(ClientError, match="Unrecognized resource types") as refused:
        _api_call(
            client,
            "CreateStack",
            {"StackName": "plain", "TemplateBody": template, "Parameters": parameters},
        )
    assert all(kind in str(refused.value) for kind in MISSING)


def test_mending_takes_nothing_else_out_of_a_template(folder: Path) -> None:
    template = text_of(small(folder).project.root / "app.py", "template.json")
    mended = json.loads(without_missing_types(template))
    before = json.loads(template)["Resources"]
    gone = {before[name]["Type"] for name in set(before) - set(mended["Resources"])}
    assert gone == set(MISSING)
    assert all(
        mended["Resources"][name]["Type"] == before[name]["Type"] for name in mended["Resources"]
    )
