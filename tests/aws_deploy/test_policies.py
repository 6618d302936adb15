# pyright: reportUnknownMemberType=false
# (the stubs know `client` by the names of all services, also of those that are not installed)
"""An independent look at the roles: what was requested in runs, against what is allowed.

Every request that a function made is allowed by its role on that resource; every action that a
role allows was requested by some run here, or stands in `NOT_SEEN` with the reason why.
"""

import json
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import boto3
import pytest

from perdure.deployment import Runs
from perdure_aws.deploy.verbs import AwsDeployer
from tests.aws_deploy.cloud import Call, Cloud
from tests.aws_deploy.long_runs import LONG, short_histories
from tests.aws_deploy.projects import CHILDREN, examples, small

NOT_SEEN = {
    "logs:CreateLogStream": "Lambda's runtime does, in the function's name",
    "logs:PutLogEvents": "likewise",
    "xray:PutTraceSegments": "likewise",
    "xray:PutTelemetryRecords": "likewise",
    "states:SendTaskFailure": "of a wait that begins when its run was cancelled already",
}
"""Allowed, and requested by no run here."""
RESTS = """
@flow
async def impatient() -> str:
    winner, _ = await race(slow=long(1000), late=sleep("90m"))
    return winner
"""
"""A child that rests in a Wait when another branch wins."""
RESOURCES = {"dynamodb": "TableName", "stepfunctions": "stateMachineArn"}


def statements(role: str) -> Iterator[Mapping[str, Any]]:
    client = boto3.client("iam")
    name = role.rpartition("/")[2]
    for policy in client.list_role_policies(RoleName=name)["PolicyNames"]:
        document: Any = client.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
        yield from document["Statement"]


def role_of(function: str) -> str:
    found: Any = boto3.client("lambda").get_function(FunctionName=function)
    role: str = found["Configuration"]["Role"]
    return role


def action(call: Call) -> str:
    service = {"stepfunctions": "states"}.get(call.service, call.service)
    return f"{service}:{call.operation}"


def resource(call: Call) -> str:
    if call.service == "dynamodb":
        return f"arn:aws:dynamodb:us-east-1:123456789012:table/{call.given['TableName']}"
    if call.operation == "StartExecution":
        # An alias is no resource of its own: its machine is asked for.
        return ":".join(str(call.given["stateMachineArn"]).split(":")[:7])
    return str(call.given.get("executionArn", "*"))


def allows(found: list[Mapping[str, Any]], call: Call) -> bool:
    return any(
        action(call) in one["Action"]
        and any(fnmatchcase(resource(call), pattern) for pattern in _resources(one))
        for one in found
    )


def _resources(statement: Mapping[str, Any]) -> list[str]:
    named = statement["Resource"]
    return [named] if isinstance(named, str) else list(named)


def drive(there: Cloud, runs: Runs, flow: str, given: Any, *events: tuple[str, Any]) -> None:
    runs.start(flow, given, flow.rpartition(":")[2])
    for name, payload in events:
        there.advance(60)
        runs.send(flow.rpartition(":")[2], name, payload, id=name)
    there.advance(86_400)
    outcome = runs.outcome(flow.rpartition(":")[2])
    assert outcome is not None, f"{flow} has not ended"


def hand_over_and_stop(there: Cloud, folder: Path) -> None:
    """A run that goes on in other executions, and one whose child rests when it is cancelled."""
    (folder / "long").mkdir()
    place = small(folder / "long", LONG.replace("import flow,", "import flow, race,") + RESTS)
    AwsDeployer().deploy(place, lambda line: None)
    runs = AwsDeployer().connect(place)
    with short_histories(60):
        runs.start("app:long", {"times": 12}, "long")
        there.advance(86_400)
        assert runs.outcome("long") is not None
        runs.start("app:impatient", {}, "impatient")
        there.advance(86_400)
        assert runs.outcome("impatient") is not None


@pytest.fixture
def requested(there: Cloud, folder: Path) -> dict[str, list[Call]]:
    """What each function asked for, while the examples and a flow with a child ran."""
    place = examples(folder, "triage", "agent")
    AwsDeployer().deploy(place, lambda line: None)
    runs = AwsDeployer().connect(place)
    issue = {"issue": {"number": 1, "title": "it crashes"}}
    drive(there, runs, "examples.triage:triage", issue, ("approval", {"approved": True}))
    drive(there, runs, "examples.agent:agent", {"question": "What is the weather in Oslo?"})
    (folder / "other").mkdir()
    place = small(folder / "other", CHILDREN)
    AwsDeployer().deploy(place, lambda line: None)
    runs = AwsDeployer().connect(place)
    runs.start("app:outer", {"n": 4}, "outer")
    runs.send("outer/inner", "more", 1, id="more")
    hand_over_and_stop(there, folder)
    found: dict[str, list[Call]] = {}
    for call in there.calls:
        if call.by.startswith("arn:aws:lambda:"):
            found.setdefault(call.by.rpartition(":")[0], []).append(call)
    return found


def test_roles_allow_what_is_requested_and_nothing_else(
    there: Cloud, requested: dict[str, list[Call]]
) -> None:
    assert len(requested) >= 3
    used: set[str] = set()
    allowed: set[str] = set()
    for function, calls in requested.items():
        found = list(statements(role_of(function)))
        refused = {(action(call), resource(call)) for call in calls if not allows(found, call)}
        assert refused == set(), function
        used |= {action(call) for call in calls}
        allowed |= {name for one in found for name in one["Action"]}
    assert allowed - used - set(NOT_SEEN) == set(), "allowed, and never requested"
    assert not used & set(NOT_SEEN), "requested after all: its line goes"


def test_a_machine_may_invoke_what_its_states_name_and_nothing_else(
    there: Cloud, folder: Path
) -> None:
    AwsDeployer().deploy(small(folder), lambda line: None)
    machine = next(iter(there.states.machines.values()))
    invoked = {
        name
        for name in json.loads(json.dumps(machine.definition.split('"')))
        if name.startswith("arn:aws:lambda:")
    }
    assert len(invoked) == 2
    (statement,) = [
        one for one in statements(machine.role) if one["Action"] == ["lambda:InvokeFunction"]
    ]
    patterns = _resources(statement)
    assert all(any(fnmatchcase(arn, p) for p in patterns) for arn in invoked)
    assert all(any(fnmatchcase(arn, p) for arn in invoked) for p in patterns)
    assert not any(
        fnmatchcase("arn:aws:lambda:us-east-1:123456789012:function:x:1", p) for p in patterns
    )


def test_no_role_allows_whatever_there_is(there: Cloud, folder: Path) -> None:
    AwsDeployer().deploy(small(folder), lambda line: None)
    for role in boto3.client("iam").list_roles()["Roles"]:
        for one in statements(role["Arn"]):
            assert not [name for name in one["Action"] if "*" in name]
            everywhere = "*" in _resources(one)
            assert not everywhere or {name.partition(":")[0] for name in one["Action"]} <= {
                "logs",
                "xray",
                "states",
            }
