"""The construct of the CDK synthesises the template that `compile` writes."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from perdure.codec.narrow import is_dict, is_list
from tests.aws_deploy.cdk import synthesise
from tests.aws_deploy.hooks import HOOKS
from tests.aws_deploy.projects import CHILDREN, ROOT, small

APP = """
from aws_cdk import App, CfnOutput, Environment, Stack, aws_iam, aws_s3
from perdure_aws.cdk import Flow, RunStore

app = App()
stack = Stack(app, "Shop", env=Environment(account="123456789012", region="us-east-1"))
triage = Flow(
    stack, "Triage", flow="app.py:orders", environment="prod", store=RunStore(stack, "Store")
)
reports = aws_s3.Bucket(stack, "Reports")
reports.grant_read(triage)
anybody = aws_iam.ServicePrincipal("lambda.amazonaws.com")
starter = aws_iam.Role(stack, "Starter", assumed_by=anybody)
triage.grant_start(starter)
sender = aws_iam.Role(stack, "Sender", assumed_by=anybody)
triage.grant_send(sender)
triage.metric_failed().create_alarm(stack, "Failures", threshold=3, evaluation_periods=1)
CfnOutput(stack, "WebhookUrl", value=triage.webhook_url)
app.synth()
"""


NIGHTLY = """
from aws_cdk import App, Environment, Stack, aws_iam
from perdure_aws.cdk import Flow, RunStore

app = App()
stack = Stack(app, "Night", env=Environment(account="123456789012", region="us-east-1"))
outer = Flow(stack, "Outer", flow="app.py:outer", environment="prod", store=RunStore(stack, "S"))
anybody = aws_iam.ServicePrincipal("lambda.amazonaws.com")
outer.grant_watch(aws_iam.Role(stack, "Watcher", assumed_by=anybody))
outer.grant_cancel(aws_iam.Role(stack, "Stopper", assumed_by=anybody))
outer.metric_failed(child="inner").create_alarm(stack, "F", threshold=3, evaluation_periods=1)
for ask in (lambda: outer.webhook_url, lambda: outer.metric("ExecutionTime", child="innr")):
    try:
        ask()
    except ValueError as error:
        with open("said.txt", "a") as said:
            print(error, file=said)
app.synth()
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cdk")
    small(folder, HOOKS)
    (folder / "cdk_app.py").write_text(APP)
    return folder


@pytest.fixture(scope="module")
def out(project: Path) -> Path:
    return synthesise(project / "cdk_app.py", project)


def read(file: Path) -> Any:
    return json.loads(file.read_text())


@pytest.fixture
def synthesised(out: Path) -> Any:
    return read(out / "Shop.template.json")


@pytest.fixture
def compiled(project: Path) -> Any:
    return read(project / "compiled" / "aws" / "orders" / "template.json")


def given(compiled: Any, synthesised: Any) -> dict[str, Any]:
    """What the construct gives for each parameter, as it stands in the synthesised template."""
    sites = synthesised["Resources"]["Sites"]["Properties"]
    description = synthesised["Resources"]["SitesVersion"]["Properties"]["Description"]
    release = description["Fn::Join"][1][-1]
    known = {
        "Environment": "prod",
        "Project": "shop",
        "Table": {"Ref": "Table"},
        "CodeBucket": sites["Code"]["S3Bucket"],
        "CodeKey": sites["Code"]["S3Key"],
        "Release": release,
        "Weight": "100",
        "StableWeight": "0",
        "StableVersion": "none",
        "StableDoor": "none",
        "StableDoorShare": "0",
    }
    return {name: value for name, value in known.items() if name in compiled["Parameters"]}


def put_in(value: Any, known: dict[str, Any]) -> Any:
    """A piece of compile's template, with what the construct gives for its parameters."""
    if is_dict(value):
        return put_in_object({str(name): item for name, item in value.items()}, known)
    if is_list(value):
        return [put_in(item, known) for item in value]
    return value


def put_in_object(value: dict[str, Any], known: dict[str, Any]) -> Any:
    """An object of it."""
    if set(value) == {"Ref"} and value["Ref"] in known:
        return known[value["Ref"]]
    if set(value) == {"Fn::Sub"} and isinstance(value["Fn::Sub"], str):
        text = value["Fn::Sub"]
        for name, one in known.items():
            if isinstance(one, str):
                text = text.replace(f"${{{name}}}", one)
        named = {n: one for n, one in known.items() if f"${{{n}}}" in text}
        return {"Fn::Sub": [text, named] if named else text}
    return {name: put_in(item, known) for name, item in value.items()}


def test_every_resource_of_the_template_is_there_as_compile_wrote_it(
    synthesised: Any, compiled: Any
) -> None:
    known = given(compiled, synthesised)
    for name, resource in compiled["Resources"].items():
        expected = put_in(resource, known)
        found = synthesised["Resources"][name]
        found.pop("Metadata", None)
        if resource["Type"] == "AWS::StepFunctions::StateMachine":
            assert found["Properties"].pop("DefinitionS3Location")
            del expected["Properties"]["DefinitionS3Location"]
        assert found == expected, name
    conditions = {n: put_in(one, known) for n, one in compiled["Conditions"].items()}
    assert {name: synthesised["Conditions"][name] for name in conditions} == conditions
    assert synthesised["Mappings"] == compiled["Mappings"]


def test_the_definition_is_that_of_compile_byte_for_byte(
    synthesised: Any, project: Path, out: Path
) -> None:
    where = synthesised["Resources"]["Machine"]["Properties"]["DefinitionS3Location"]
    digest = where["Key"].partition(".")[0]
    (asset,) = out.glob(f"asset.{digest}*")
    definition = project / "compiled" / "aws" / "orders" / "definition.asl.json"
    assert asset.read_bytes() == definition.read_bytes()


def test_the_code_is_what_package_makes(synthesised: Any, project: Path, out: Path) -> None:
    key = synthesised["Resources"]["Sites"]["Properties"]["Code"]["S3Key"]
    (asset,) = out.glob(f"asset.{key.partition('.')[0]}*")
    (package,) = (project / ".perdure" / "packages").glob("*.zip")
    assert asset.read_bytes() == package.read_bytes()


def allowed(synthesised: Any, role: str) -> dict[str, Any]:
    """Resource by action, of what policies beside the template give to a role."""
    found: dict[str, Any] = {}
    for resource in synthesised["Resources"].values():
        if resource["Type"] != "AWS::IAM::Policy":
            continue
        if any(role in json.dumps(one) for one in resource["Properties"]["Roles"]):
            for one in resource["Properties"]["PolicyDocument"]["Statement"]:
                actions = one["Action"] if isinstance(one["Action"], list) else [one["Action"]]
                found |= dict.fromkeys(actions, one["Resource"])
    return found


def test_grants_allow_what_they_say(synthesised: Any) -> None:
    start, send = allowed(synthesised, "Starter"), allowed(synthesised, "Sender")
    assert start["states:StartExecution"] == {"Ref": "Machine"}
    assert {"dynamodb:GetItem", "dynamodb:Query", "states:DescribeExecution"} <= set(start)
    assert "dynamodb:PutItem" not in start
    assert {"dynamodb:PutItem", "states:SendTaskSuccess"} <= set(send)
    assert "states:StartExecution" not in send
    assert "s3:GetObject*" in allowed(synthesised, "SitesRole"), "steps may read the bucket"


def test_grants_and_metrics_reach_flows_that_it_starts(tmp_path: Path) -> None:
    source = CHILDREN.replace("gather, step", "Cron, step")
    nightly = '@flow(on=Cron("0 3 * * *", input={"n": 1}))'
    source = source.replace("@flow\nasync def outer", f"{nightly}\nasync def outer")
    small(tmp_path, source)
    (tmp_path / "cdk_app.py").write_text(NIGHTLY)
    made = read(synthesise(tmp_path / "cdk_app.py", tmp_path) / "Night.template.json")
    machines = [
        name
        for name, one in made["Resources"].items()
        if one["Type"] == "AWS::StepFunctions::StateMachine"
    ]
    assert len(machines) == 2
    for role, action in (
        ("Watcher", "states:DescribeExecution"),
        ("Watcher", "states:GetExecutionHistory"),
        ("Stopper", "states:StopExecution"),
        ("Stopper", "states:DescribeExecution"),
    ):
        covered = json.dumps(allowed(made, role)[action])
        assert all(f'"{name}", "Name"' in covered for name in machines), (role, action)
    (alarm,) = (
        one["Properties"]
        for one in made["Resources"].values()
        if one["Type"] == "AWS::CloudWatch::Alarm" and one["Properties"]["Threshold"] == 3
    )
    (child,) = set(machines) - {"Machine"}
    assert alarm["Dimensions"][0]["Value"] == {"Ref": child}
    said = (tmp_path / "said.txt").read_text()
    assert "Night/Outer: the flow has no webhooks and makes no approval links" in said
    assert "Night/Outer: it starts no flow `innr`; there is inner" in said


def test_metrics_and_the_url_are_those_of_the_flow(synthesised: Any) -> None:
    alarms = [
        one["Properties"]
        for one in synthesised["Resources"].values()
        if one["Type"] == "AWS::CloudWatch::Alarm" and one["Properties"]["Threshold"] == 3
    ]
    assert [one["MetricName"] for one in alarms] == ["ExecutionsFailed"]
    assert alarms[0]["Dimensions"][0]["Value"] == {"Ref": "Machine"}
    url = synthesised["Outputs"]["WebhookUrl"]["Value"]
    assert url == {"Fn::GetAtt": ["Api", "ApiEndpoint"]}


def test_deploying_without_the_cdk_needs_neither_node_nor_docker() -> None:
    """Nothing that `perdure deploy` imports is the CDK, or starts such a process."""
    import subprocess

    code = (
        "import sys, subprocess\n"
        "import perdure_aws.deploy.verbs, perdure_aws.deploy.runs, perdure.cli.deploy\n"
        "assert not {'aws_cdk', 'jsii', 'constructs', 'docker'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PATH": ""}, cwd=ROOT)
    for file in (ROOT / "backends" / "perdure_aws" / "deploy").glob("*.py"):
        text = file.read_text()
        assert "docker" not in text, file
        assert "node" not in text.split(), file
