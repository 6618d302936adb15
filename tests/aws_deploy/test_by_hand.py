# pyright: reportUnknownMemberType=false
# (the stubs know `client` by the names of all services, also of those that are not installed)
"""The steps of docs/deploy.md, "By hand": plain boto3, the files as they are, no perdure."""

import json
from pathlib import Path
from typing import Any

import boto3

from tests.aws_deploy.cloud import Cloud
from tests.aws_deploy.projects import CHILDREN, ROOT, examples, small

SEED = "00112233445566778899aabbccddeeff"


def deployed(folder: Path, name: str) -> dict[str, str]:
    """Both stacks of a compiled flow; the outputs of the second."""
    cloudformation: Any = boto3.client("cloudformation")
    s3: Any = boto3.client("s3")

    def made(stack: str, file: str, **parameters: str) -> dict[str, str]:
        cloudformation.create_stack(
            StackName=stack,
            TemplateBody=(folder / file).read_text(),
            Parameters=[
                {"ParameterKey": key, "ParameterValue": one} for key, one in parameters.items()
            ],
            Capabilities=["CAPABILITY_IAM"],
        )
        (found,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
        assert found["StackStatus"] == "CREATE_COMPLETE"
        return {one["OutputKey"]: one["OutputValue"] for one in found["Outputs"]}

    store = made("shop-prod", "store.json")
    bucket = store["Bucket"]
    s3.put_object(Bucket=bucket, Key="code/1.zip", Body=(folder / "bundle.zip").read_bytes())
    for file in folder.rglob("definition.asl.json"):
        key = f"definitions/1/{file.relative_to(folder).as_posix()}"
        s3.put_object(Bucket=bucket, Key=key, Body=file.read_bytes())
    return made(
        f"shop-prod-{name}",
        "template.json",
        Environment="prod",
        Table=store["Table"],
        CodeBucket=bucket,
        CodeKey="code/1.zip",
        Artifacts="definitions/1",
    )


def started(there: Cloud, live: str, run: str, given: object) -> str:
    steps: Any = boto3.client("stepfunctions")
    text = json.dumps({"run": {"id": run, "seed": SEED}, "input": given})
    arn: str = steps.start_execution(stateMachineArn=live, name=run, input=text)["executionArn"]
    there.advance(60)
    return arn


def test_a_flow_is_deployed_and_run_without_perdure(there: Cloud, folder: Path) -> None:
    examples(folder, "agent")
    outputs = deployed(folder / "compiled" / "aws" / "agent", "agent")
    arn = started(there, outputs["Live"], "a-1", {"question": "What is the weather in Oslo?"})
    steps: Any = boto3.client("stepfunctions")
    said = steps.describe_execution(executionArn=arn)
    assert said["status"] == "SUCCEEDED"
    assert "Oslo: 7 degrees" in said["output"]


def test_so_is_one_with_a_child(there: Cloud, folder: Path) -> None:
    source = CHILDREN.replace(' + await event("more", int)', " + 1")
    small(folder, source)
    outputs = deployed(folder / "compiled" / "aws" / "outer", "outer")
    arn = started(there, outputs["Live"], "o-1", {"n": 4})
    steps: Any = boto3.client("stepfunctions")
    assert steps.describe_execution(executionArn=arn)["status"] == "SUCCEEDED"


def test_the_page_names_each_parameter_and_step() -> None:
    page = (ROOT / "docs" / "deploy.md").read_text().partition("## By hand")[2]
    for word in (
        "Environment=prod",
        "Table=TABLE",
        "CodeBucket=BUCKET",
        "CodeKey=code/1.zip",
        "Artifacts=definitions/1",
        "CAPABILITY_IAM",
        "definition.asl.json",
        "start-execution",
    ):
        assert word in page
