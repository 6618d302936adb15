"""What door and steps requested of AWS, against what their roles allow: no more, no less."""

import json
from pathlib import Path

from perdure_aws.deploy.verbs import AwsDeployer
from tests.aws_deploy.cloud import Call, Cloud
from tests.aws_deploy.hooks import body_of, deliver, deploy_hooks
from tests.aws_deploy.test_policies import NOT_SEEN, action, allows, resource, role_of, statements

SEEN_BY_OTHERS = {
    "states:GetExecutionHistory": "to hand a long run over: test_policies",
    "states:StopExecution": "to stop a child that rests: test_policies",
    "states:StartExecution": "of sites: what hands a run over, or starts a child",
    "states:SendTaskSuccess": "of sites: a wait that is decided when it begins",
}


def named(call: Call) -> Call:
    """The request with the ARN of what it is about: a secret's ends with six characters."""
    if call.service != "secretsmanager":
        return call
    id = str(call.given["SecretId"])
    arn = f"arn:aws:secretsmanager:us-east-1:123456789012:secret:{id}-AbC123"
    return call._replace(given={"executionArn": id if id.startswith("arn:") else arn})


def test_roles_of_a_flow_with_a_door_allow_what_is_requested(
    there: Cloud, folder: Path, tmp_path: Path
) -> None:
    place = deploy_hooks(folder)
    runs = AwsDeployer().connect(place)
    body = body_of("a", 12, "wait")
    waits = json.loads(deliver(there, "github", body, "a").body)["run"]
    there.advance(1)
    paid = json.dumps({"run": waits, "amount": 1}).encode()
    assert deliver(there, "standard", paid, "p", path="/paid").status == 202
    file = tmp_path / "links"
    for name in ("stripe", "slack", "bearer", "basic"):
        assert deliver(there, name, body_of(name, 1, str(file)), name).status == 202
    assert there.request(file.read_text().split()[0]).status == 200
    there.advance(86_400)
    assert runs.outcome(waits) is not None
    by = {call.by for call in there.calls if call.by.startswith("arn:aws:lambda:")}
    door = next(one for one in by if one.rpartition(":")[0].endswith("-door"))
    sites = next(one for one in by if one != door)
    for function in (door.rpartition(":")[0], sites.rpartition(":")[0]):
        calls = [named(call) for call in there.calls if call.by.startswith(function)]
        found = list(statements(role_of(function)))
        refused = {(action(call), resource(call)) for call in calls if not allows(found, call)}
        assert refused == set(), function
        used = {action(call) for call in calls}
        allowed = {name for one in found for name in one["Action"]}
        excused = set(NOT_SEEN) | (
            set[str]() if function.endswith("-door") else set(SEEN_BY_OTHERS)
        )
        assert allowed - used - excused == set(), "allowed, and never requested"
        read = {resource(call) for call in calls if call.service == "secretsmanager"}
        listed = [one for one in found if one["Action"] == ["secretsmanager:GetSecretValue"]]
        assert len(read) == sum(len(one["Resource"]) for one in listed), "each that is allowed"
