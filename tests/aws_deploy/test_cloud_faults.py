# pyright: basic
# (moto has no types, and templates are JSON of any shape)
"""Each fault of moto that `cloud.formation` mends: a template on which plain moto is wrong."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boto3
import moto
import pytest
from botocore.exceptions import ClientError
from moto.cloudformation import parsing

from tests.aws_deploy.cloud import SECRETS, Cloud

TABLE = {
    "Type": "AWS::DynamoDB::Table",
    "Properties": {
        "AttributeDefinitions": [{"AttributeName": "p", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "p", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
    },
}


@pytest.fixture
def plain() -> Iterator[Any]:
    """moto as it comes."""
    with patch.dict(os.environ, SECRETS), moto.mock_aws():
        yield boto3.client("cloudformation")


def made(client: Any, template: dict[str, Any], **parameters: str) -> None:
    client.create_stack(StackName="s", **_asked(template, parameters))


def updated(client: Any, template: dict[str, Any], **parameters: str) -> None:
    client.update_stack(StackName="s", **_asked(template, parameters))


def _asked(template: dict[str, Any], parameters: dict[str, str]) -> dict[str, Any]:
    given = [{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()]
    return {"TemplateBody": json.dumps(template), "Parameters": given}


EMPTY = {"Resources": {"Table": TABLE}}


def test_plain_moto_makes_updates_that_change_nothing(plain: Any) -> None:
    made(plain, EMPTY)
    updated(plain, EMPTY)


def test_the_cloud_refuses_them(there: Cloud) -> None:
    client = boto3.client("cloudformation")
    made(client, EMPTY)
    with pytest.raises(ClientError, match="No updates are to be performed"):
        updated(client, EMPTY)


CONDITIONAL = {
    "Parameters": {"Weight": {"Type": "Number"}},
    "Conditions": {"All": {"Fn::Equals": [{"Ref": "Weight"}, "100"]}},
    "Resources": {"Table": TABLE, "Other": {**TABLE, "Condition": "All"}},
}


def test_plain_moto_finds_no_number_equal_to_its_text(plain: Any) -> None:
    made(plain, CONDITIONAL, Weight="100")
    assert len(boto3.client("dynamodb").list_tables()["TableNames"]) == 1


def test_the_cloud_does(there: Cloud) -> None:
    made(boto3.client("cloudformation"), CONDITIONAL, Weight="100")
    assert len(boto3.client("dynamodb").list_tables()["TableNames"]) == 2


KEPT = {"Resources": {"Table": {**TABLE, "DeletionPolicy": "RetainExceptOnCreate"}}}


def test_plain_moto_deletes_what_is_kept_but_for_a_failed_start(plain: Any) -> None:
    made(plain, KEPT)
    plain.delete_stack(StackName="s")
    assert boto3.client("dynamodb").list_tables()["TableNames"] == []


def test_the_cloud_keeps_it(there: Cloud) -> None:
    client = boto3.client("cloudformation")
    made(client, KEPT)
    client.delete_stack(StackName="s")
    assert len(boto3.client("dynamodb").list_tables()["TableNames"]) == 1


CHAIN: dict[str, Any] = {
    "Parameters": {"Name": {"Type": "String"}},
    "Resources": {
        "First": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "x"}},
        "Second": {
            "Type": "AWS::SSM::Parameter",
            "Properties": {
                "Name": "second",
                "Type": "String",
                "Value": {"Fn::Join": ["", ["see ", {"Ref": "First"}]]},
            },
        },
    },
}


def test_plain_moto_does_not_follow_references_to_what_was_replaced(plain: Any) -> None:
    first = json.loads(json.dumps(CHAIN))
    first["Resources"]["First"]["Properties"]["Name"] = "one"
    second = json.loads(json.dumps(CHAIN))
    second["Resources"]["First"]["Properties"]["Name"] = "two"
    made(plain, first, Name="n")
    updated(plain, second, Name="n")
    said = boto3.client("ssm").get_parameter(Name="second")["Parameter"]["Value"]
    assert said == "see one", "AWS: see two"


def test_plain_moto_has_no_models_of_what_the_templates_make(plain: Any, folder: Path) -> None:
    from tests.aws_deploy.projects import make_project, text_of

    make_project(folder)
    missing: set[str] = set()
    for name in ("template.json", "store.json"):
        resources = json.loads(text_of(folder / "app.py", name))["Resources"]
        missing |= {one["Type"] for one in resources.values()} - set(parsing.get_model_map())
    assert missing == {
        "AWS::CloudWatch::Alarm",
        "AWS::S3::BucketPolicy",
        "AWS::StepFunctions::StateMachineAlias",
        "AWS::StepFunctions::StateMachineVersion",
    }
