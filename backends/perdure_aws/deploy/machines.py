"""A flow's machine where it is deployed: its versions, what the alias gives to new runs."""

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple, final

from botocore.exceptions import ClientError

from perdure.codec import Json
from perdure_aws.deploy.account import code_of

if TYPE_CHECKING:
    from types_boto3_stepfunctions import SFNClient

__all__ = ["GONE", "Machines", "Share", "number_of"]

GONE = ("TaskDoesNotExist", "TaskTimedOut", "InvalidToken")
MISSING = ("StateMachineDoesNotExist", "ResourceNotFound")


@final
class Share(NamedTuple):
    """A version, and how many of a hundred new runs it gets."""

    version: str
    weight: int


@final
class Machines:
    """What Step Functions says of machines."""

    def __init__(self, client: "SFNClient") -> None:
        self._client = client

    def shares(self, alias: str) -> tuple[Share, ...]:
        """The versions that new runs start on, the one with most of them first."""
        found = self._client.describe_state_machine_alias(stateMachineAliasArn=alias)
        shares = [
            Share(one["stateMachineVersionArn"], one["weight"])
            for one in found.get("routingConfiguration", [])
        ]
        return tuple(sorted(shares, key=lambda share: -share.weight))

    def versions(self, machine: str) -> tuple[str, ...]:
        """The ARNs of all versions, the newest first."""
        found: list[str] = []
        asked = {"stateMachineArn": machine}
        while True:
            page = self._client.list_state_machine_versions(**asked)  # type: ignore[arg-type]
            found += [one["stateMachineVersionArn"] for one in page["stateMachineVersions"]]
            if "nextToken" not in page:
                return tuple(sorted(found, key=number_of, reverse=True))
            asked["nextToken"] = page["nextToken"]

    def aliases(self, machine: str) -> tuple[str, ...]:
        """The ARNs of all aliases."""
        found: list[str] = []
        asked = {"stateMachineArn": machine}
        while True:
            page = self._client.list_state_machine_aliases(**asked)  # type: ignore[arg-type]
            found += [one["stateMachineAliasArn"] for one in page["stateMachineAliases"]]
            if "nextToken" not in page:
                return tuple(found)
            asked["nextToken"] = page["nextToken"]

    def remove_alias(self, alias: str) -> None:
        """One that is gone is gone."""
        try:
            self._client.delete_state_machine_alias(stateMachineAliasArn=alias)
        except ClientError as error:
            if code_of(error) not in MISSING:
                raise

    def remove_version(self, version: str) -> None:
        """DeleteStateMachineVersion, which answers alike for one that is gone."""
        self._client.delete_state_machine_version(stateMachineVersionArn=version)

    def definition(self, version: str) -> Mapping[str, Json]:
        """What a version does."""
        found: dict[str, Json] = json.loads(
            self._client.describe_state_machine(stateMachineArn=version)["definition"]
        )
        return found

    def running(self, machine: str) -> Iterator[tuple[str, str]]:
        """Executions under way: their ARN and their version."""
        pages = self._client.get_paginator("list_executions")
        try:
            for page in pages.paginate(stateMachineArn=machine, statusFilter="RUNNING"):
                for one in page["executions"]:
                    yield one["executionArn"], one.get("stateMachineVersionArn", "")
        except ClientError as error:
            if code_of(error) not in MISSING:
                raise

    def described(self, execution: str) -> Mapping[str, object] | None:
        """DescribeExecution; None where it is gone."""
        try:
            return {**self._client.describe_execution(executionArn=execution)}
        except ClientError as error:
            if code_of(error) == "ExecutionDoesNotExist":
                return None
            raise

    def ring(self, token: str) -> None:
        """SendTaskSuccess; who waits no more is not told."""
        try:
            self._client.send_task_success(taskToken=token, output="true")
        except ClientError as error:
            if code_of(error) not in GONE:
                raise

    def stop(self, execution: str, cause: str) -> None:
        """End an execution; one that has ended is left alone."""
        try:
            self._client.stop_execution(
                executionArn=execution, error="perdure.Stopped", cause=cause
            )
        except ClientError as error:
            if code_of(error) != "ExecutionDoesNotExist":
                raise


def number_of(version: str) -> int:
    """The number at the end of a version's ARN."""
    return int(version.rpartition(":")[2])
