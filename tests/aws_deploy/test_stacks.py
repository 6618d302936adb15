"""Stacks in whatever state an earlier deploy left them."""

from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from perdure.deployment import DeployError
from perdure_aws.deploy.stacks import Stacks


class Scripted:
    """CloudFormation that has one stack, whose states follow one another."""

    def __init__(self, *states: str) -> None:
        self.states = list(states)
        self.asked: list[str] = []

    def describe_stacks(self, StackName: str) -> Mapping[str, Any]:  # noqa: N803  (boto3's)
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if state == "GONE":
            message = f"Stack {StackName} does not exist"
            raise ClientError(
                {"Error": {"Code": "ValidationError", "Message": message}}, "DescribeStacks"
            )
        return {"Stacks": [{"StackName": StackName, "StackStatus": state, "StackId": "id"}]}

    def describe_stack_events(self, StackName: str) -> Mapping[str, Any]:  # noqa: N803
        events = [
            {"LogicalResourceId": "Later", "ResourceStatus": "CREATE_FAILED",
             "ResourceStatusReason": "cancelled"},
            {"LogicalResourceId": "Table", "ResourceStatus": "CREATE_FAILED",
             "ResourceStatusReason": "limit exceeded"},
            {"LogicalResourceId": "s", "ResourceStatus": "CREATE_IN_PROGRESS"},
            {"LogicalResourceId": "Old", "ResourceStatus": "CREATE_FAILED",
             "ResourceStatusReason": "of another time"},
        ]  # fmt: skip
        return {"StackEvents": events}

    def __getattr__(self, name: str) -> Any:
        def call(**given: object) -> dict[str, object]:
            self.asked.append(name)
            return {}

        return call


def apply(client: Any) -> bool:
    stacks = Stacks(client, lambda line: None, sleep=lambda seconds: None)
    return stacks.apply("s", "{}", {}, {})[1]


@pytest.mark.parametrize(
    ("states", "asked"),
    [
        (("GONE", "CREATE_IN_PROGRESS", "CREATE_COMPLETE"), ["create_stack"]),
        (("CREATE_IN_PROGRESS", "CREATE_COMPLETE"), ["update_stack"]),
        (("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE"), ["update_stack"]),
        (("UPDATE_ROLLBACK_COMPLETE", "UPDATE_COMPLETE"), ["update_stack"]),
        (
            ("ROLLBACK_COMPLETE", "ROLLBACK_COMPLETE", "GONE", "CREATE_COMPLETE"),
            ["delete_stack", "create_stack"],
        ),
        (
            ("REVIEW_IN_PROGRESS", "REVIEW_IN_PROGRESS", "GONE", "CREATE_COMPLETE"),
            ["delete_stack", "create_stack"],
        ),
        (("DELETE_IN_PROGRESS", "GONE", "CREATE_COMPLETE"), ["create_stack"]),
        (
            ("UPDATE_ROLLBACK_FAILED", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_COMPLETE"),
            ["continue_update_rollback", "update_stack"],
        ),
    ],
    ids=[str(number) for number in range(8)],
)
def test_a_stack_is_brought_on_from_where_it_is(states: tuple[str, ...], asked: list[str]) -> None:
    client = Scripted(*states)
    assert apply(client)
    assert client.asked == asked


def test_a_stack_that_fails_says_what_went_wrong_first() -> None:
    with pytest.raises(DeployError, match=r"Table: limit exceeded \(ROLLBACK_COMPLETE\)"):
        apply(Scripted("GONE", "CREATE_IN_PROGRESS", "ROLLBACK_COMPLETE"))


def test_a_stack_that_could_not_be_deleted_is_left_to_people() -> None:
    with pytest.raises(DeployError, match="could not be deleted"):
        apply(Scripted("DELETE_FAILED"))
