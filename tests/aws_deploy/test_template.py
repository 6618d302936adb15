"""The templates that `compile` writes: as written down, free of findings, least privilege."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from perdure.cli import main
from perdure.codec import Json
from perdure_aws.cloudformation.tasks import tasks
from perdure_aws.dynamodb import table_definition
from tests.aws_deploy.hooks import HOOKS
from tests.aws_deploy.projects import CHILDREN, FULL, make_project, text_of
from tests.aws_engine.external import lint_template

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "golden"
EXAMPLES = ("triage", "research", "agent", "saga")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path)


def template_of(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text_of(file, "template.json"))
    return found


def resources(template: dict[str, Any], kind: str) -> dict[str, Any]:
    return {
        name: one["Properties"]
        for name, one in template["Resources"].items()
        if one["Type"] == f"AWS::{kind}"
    }


@pytest.mark.parametrize("name", ["template.json", "store.json"])
def test_the_templates_are_what_is_written_down(project: Path, name: str, update: bool) -> None:
    golden = GOLDEN / f"{name}.txt"
    if update:
        golden.write_text(text_of(project, name))
    assert golden.read_text() == text_of(project, name), f"pytest --update writes {golden}"


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_templates_of_the_examples_are_free_of_findings(example: str) -> None:
    file = ROOT / "examples" / f"{example}.py"
    assert lint_template(text_of(file, "template.json")) == []


def test_a_template_with_every_setting_is_free_of_findings(project: Path) -> None:
    assert lint_template(text_of(project, "template.json")) == []
    assert lint_template(text_of(project, "store.json")) == []


def test_the_table_is_the_run_stores(project: Path) -> None:
    table = resources(json.loads(text_of(project, "store.json")), "DynamoDB::Table")["Table"]
    wanted = {key: value for key, value in table_definition("").items() if key != "TableName"}
    assert {key: table[key] for key in wanted} == wanted


def test_a_group_has_a_function_a_role_and_a_memory_of_its_own(project: Path) -> None:
    template = template_of(project)
    made = resources(template, "Lambda::Function")
    assert set(made) == {"Sites", "SitesHeavyLifting"}
    roles = {one["Role"]["Fn::GetAtt"][0] for one in made.values()}
    assert roles == {"SitesRole", "SitesHeavyLiftingRole"}
    assert made["Sites"]["Timeout"] == 90, "routes take that long"
    assert made["SitesHeavyLifting"]["Timeout"] == 330
    mapping = template["Mappings"]["Environments"]
    assert mapping["prod"]["SitesMemory"] == "1024"
    assert mapping["prod"]["SitesHeavyLiftingMemory"] == "4096"
    assert mapping["test"]["SitesHeavyLiftingMemory"] == "512"


def _actions(role: dict[str, Any]) -> Iterator[str]:
    """Everything that a role allows in some environment."""
    for policy in role["Policies"]:
        real = policy["Fn::If"][1] if "Fn::If" in policy else policy
        for statement in real["PolicyDocument"]["Statement"]:
            yield from statement["Action"]


def test_only_the_function_that_is_given_tokens_may_answer_them(project: Path) -> None:
    roles = resources(template_of(project), "IAM::Role")
    assert "states:SendTaskSuccess" in set(_actions(roles["SitesRole"]))
    assert "states:SendTaskSuccess" not in set(_actions(roles["SitesHeavyLiftingRole"]))


def test_what_an_environment_allows_is_allowed_there_alone(project: Path) -> None:
    template = template_of(project)
    role = resources(template, "IAM::Role")["SitesHeavyLiftingRole"]
    only_there = role["Policies"][1]["Fn::If"]
    conditions = template["Conditions"]
    assert conditions[only_there[0]] == {"Fn::Equals": [{"Ref": "Environment"}, "prod"]}
    said = [
        (one["Action"], one["Resource"]) for one in only_there[1]["PolicyDocument"]["Statement"]
    ]
    assert said == [
        (["s3:GetObject"], "arn:aws:s3:::reports/*"),
        (["ses:SendEmail"], "*"),
        (
            ["bedrock:InvokeModel"],
            {"Fn::Sub": "arn:aws:bedrock:${AWS::Region}::foundation-model/*"},
        ),
    ]


def test_the_machine_may_invoke_versions_of_its_functions_alone(project: Path) -> None:
    template = template_of(project)
    definition = json.loads(text_of(project, "definition.asl.json"))
    invoked = {task.calls for task in tasks(definition)}
    statement = resources(template, "IAM::Role")["MachineRole"]["Policies"][0]
    first = statement["PolicyDocument"]["Statement"][0]
    assert first["Action"] == ["lambda:InvokeFunction"]
    assert first["Resource"] == [{"Fn::Sub": f"${{{name}.Arn}}:*"} for name in sorted(invoked)]
    substituted = resources(template, "StepFunctions::StateMachine")["Machine"]
    assert set(substituted["DefinitionSubstitutions"]) == invoked


def test_a_flow_that_starts_others_brings_their_machines(tmp_path: Path) -> None:
    make_project(tmp_path, CHILDREN)
    text = text_of(tmp_path / "app.py", "template.json", "outer")
    assert lint_template(text) == []
    template = json.loads(text)
    machines = resources(template, "StepFunctions::StateMachine")
    assert set(machines) == {"Machine", "FlowInner"}
    place = machines["FlowInner"]["DefinitionS3Location"]["Key"]
    assert place == {"Fn::Sub": "${Artifacts}/flows/inner/definition.asl.json"}
    aliases = resources(template, "StepFunctions::StateMachineAlias")
    assert {name: one["Name"] for name, one in aliases.items()} == {
        "MachineRelease": {"Ref": "Release"},
        "FlowInnerRelease": {"Ref": "Release"},
        "Live": "live",
    }
    variables = resources(template, "Lambda::Function")["Sites"]["Environment"]["Variables"]
    known = json.loads(variables["PERDURE_MACHINES"]["Fn::Sub"])
    assert known["app:inner"].endswith(":stateMachine:${AWS::StackName}-inner:${Release}")
    assert "states:StartExecution" in set(_actions(resources(template, "IAM::Role")["SitesRole"]))


def test_only_the_function_without_a_group_starts_executions(project: Path) -> None:
    roles = resources(template_of(project), "IAM::Role")
    assert "states:StartExecution" in set(_actions(roles["SitesRole"]))
    assert "states:StartExecution" not in set(_actions(roles["SitesHeavyLiftingRole"]))


def test_a_task_that_no_role_allows_is_our_fault_and_said_so() -> None:
    state: dict[str, Json] = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage",
        "Arguments": {},
    }
    with pytest.raises(NotImplementedError, match="sqs:sendMessage"):
        list(tasks({"States": {"send": state}}))


def test_another_configuration_is_another_version(project: Path) -> None:
    def said() -> str:
        version = resources(template_of(project), "Lambda::Version")["SitesVersion"]
        return str(version["Description"])

    before = said()
    (project.parent / "pyproject.toml").write_text(FULL.replace("memory = 1024", "memory = 2048"))
    assert said() != before


def test_old_versions_stay_when_new_ones_replace_them(project: Path) -> None:
    made = template_of(project)["Resources"]
    versions = [one for one in made.values() if one["Type"].endswith("Version")]
    assert len(versions) == 3
    assert {one["UpdateReplacePolicy"] for one in versions} == {"Retain"}


# --- what reaches a flow from outside ------------------------------------------------------------


@pytest.fixture
def hooked(tmp_path: Path) -> Path:
    return make_project(tmp_path, HOOKS)


def test_the_template_of_a_door_is_what_is_written_down(hooked: Path, update: bool) -> None:
    text, golden = text_of(hooked, "template.json"), GOLDEN / "door.json.txt"
    if update:
        golden.write_text(text)
    assert golden.read_text() == text, f"pytest --update writes {golden}"
    assert lint_template(text) == []


def test_a_flow_that_nothing_reaches_has_no_door(project: Path) -> None:
    text = text_of(project, "template.json")
    assert not [
        word for word in ("Door", "ApiGateway", "Scheduler", "secretsmanager") if word in text
    ]
    assert "Project" not in json.loads(text)["Parameters"]


READERS = """
from perdure import Cron, GitHub, Webhook, flow, secret, step

@step
async def light() -> int:
    return len(secret("LIGHT_KEY").value)

@step(group="heavy-lifting")
async def heavy() -> int:
    return len(secret("HEAVY_KEY").value)

@flow(on=WHAT)
async def main() -> int:
    return await light() + await heavy()
"""


def _secrets_of(template: dict[str, Any], role: str) -> list[str]:
    statements = [
        statement
        for policy in resources(template, "IAM::Role")[role]["Policies"]
        for statement in policy.get("PolicyDocument", {}).get("Statement", [])
        if statement["Action"] == ["secretsmanager:GetSecretValue"]
    ]
    return [one["Fn::Sub"].rpartition("/")[2] for each in statements for one in each["Resource"]]


def test_each_function_may_read_the_secrets_that_its_code_names(tmp_path: Path) -> None:
    hook = 'Webhook("/x", verify=GitHub(secret("HOOK_KEY")))'
    file = make_project(tmp_path, READERS.replace("WHAT", hook))
    template = template_of(file)
    assert _secrets_of(template, "SitesRole") == ["LIGHT_KEY-??????"]
    assert _secrets_of(template, "SitesHeavyLiftingRole") == ["HEAVY_KEY-??????"]
    assert _secrets_of(template, "DoorRole") == ["HOOK_KEY-??????"]
    functions = resources(template, "Lambda::Function")
    places = functions["SitesHeavyLifting"]["Environment"]["Variables"]["PERDURE_SECRETS"]
    assert places == {"Fn::Sub": '{"HEAVY_KEY": "${Project}/${Environment}/HEAVY_KEY"}'}
    assert lint_template(text_of(file, "template.json")) == []


def test_a_flow_that_is_only_scheduled_has_no_address(tmp_path: Path) -> None:
    file = make_project(tmp_path, READERS.replace("WHAT", 'Cron("0 9 * * *")'))
    template = template_of(file)
    assert "Door" in template["Resources"]
    assert not resources(template, "ApiGatewayV2::Api")
    assert "Url" not in template["Outputs"]
    assert _secrets_of(template, "DoorRole") == []
    assert "states:SendTaskSuccess" not in set(
        _actions(resources(template, "IAM::Role")["DoorRole"])
    )
    assert lint_template(text_of(file, "template.json")) == []


def test_a_webhook_takes_no_more_than_a_function_is_given(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    hook = 'Webhook("/x", verify=GitHub(secret("HOOK_KEY")), max_bytes=5_000_000)'
    file = make_project(tmp_path, READERS.replace("WHAT", hook))
    out = str(tmp_path / "compiled")
    assert main.run(["compile", str(file), "--target", "aws", "--out", out]) == 1
    said = capfd.readouterr().err
    assert "PDR301" in said
    assert "this webhook takes is 5000000 bytes, and aws takes 4500000" in said


def test_plain_settings_are_variables_of_every_function_where_the_environment_has_them(
    tmp_path: Path,
) -> None:
    file = make_project(tmp_path, HOOKS)
    made = resources(template_of(file), "Lambda::Function")
    assert set(made) == {"Sites", "Door"}
    none = {"Ref": "AWS::NoValue"}
    for function in made.values():
        variables = function["Environment"]["Variables"]
        assert variables["MODEL"] == {"Fn::If": ["InEnvironment1", "large", "small"]}
        assert variables["REGION_NAME"] == {"Fn::If": ["InEnvironment1", "Frankfurt", none]}


def test_an_alarm_watches_what_the_door_answers(tmp_path: Path) -> None:
    template = template_of(make_project(tmp_path, HOOKS))
    alarm = resources(template, "CloudWatch::Alarm")["ApiFailedAlarm"]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/ApiGateway", "5xx")
    assert alarm["Dimensions"] == [{"Name": "ApiId", "Value": {"Ref": "Api"}}]
