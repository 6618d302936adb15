"""CloudFormation stacks: brought to a template, whatever state they were left in.

A request whose answer was lost is found out by looking: a stack that is under way is waited for,
one whose creation failed is removed and made again, an update that changes nothing is none.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, final

from botocore.exceptions import ClientError

from perdure.deployment import DeployError, Say
from perdure_aws.deploy.account import code_of, message_of

if TYPE_CHECKING:
    from types_boto3_cloudformation import CloudFormationClient
    from types_boto3_cloudformation.type_defs import ParameterTypeDef, StackTypeDef

__all__ = ["GOOD", "NEVER_MADE", "Change", "Stack", "Stacks"]

CHANGE_SET = "perdure-plan"
NEVER_MADE = ("CREATE_FAILED", "REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED")
"""A stack that holds nothing that was ever used: it goes before it is made."""
GOOD = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
REVIEW = "REVIEW_IN_PROGRESS"
POLL_SECONDS = 3.0
IN_BODY = 51_200
"""Bytes of a template in a request (cloudformation-limits.html); a longer one lies in S3."""


@final
class Stack(NamedTuple):
    """A stack as it is."""

    name: str
    id: str
    status: str
    parameters: Mapping[str, str]
    outputs: Mapping[str, str]
    tags: Mapping[str, str]
    updated: datetime | None = None


@final
class Change(NamedTuple):
    """What an update does to one resource."""

    action: str
    """add, change, replace, remove"""
    logical_id: str
    kind: str


@final
class Stacks:
    """The stacks of one account and region."""

    def __init__(
        self,
        client: "CloudFormationClient",
        say: Say,
        sleep: Callable[[float], None] = time.sleep,
        owner: Mapping[str, str] | None = None,
    ) -> None:
        """`owner`: the tags without which a stack is another's, whatever it is called."""
        self._client = client
        self._say = say
        self._sleep = sleep
        self._owner = owner or {}

    def find(self, name: str) -> Stack | None:
        """The stack of that name, None if there is none; DeployError if it is another's."""
        try:
            found = self._client.describe_stacks(StackName=name)["Stacks"]
        except ClientError as error:
            if code_of(error) == "ValidationError" and "does not exist" in message_of(error):
                return None
            raise
        stack = _stack(found[0]) if found else None
        if stack is not None:
            _refuse_of_others(stack, self._owner)
        return stack

    def tagged(self, wanted: Mapping[str, str]) -> list[Stack]:
        """All stacks with these tags, by name."""
        pages = self._client.get_paginator("describe_stacks").paginate()
        found = [_stack(one) for page in pages for one in page["Stacks"]]
        has = [s for s in found if wanted.items() <= s.tags.items()]
        return sorted(has, key=lambda stack: stack.name)

    def settled(self, name: str) -> Stack | None:
        """The stack, when nothing goes on in it."""
        shown = ""
        while (stack := self.find(name)) is not None:
            if not stack.status.endswith("_IN_PROGRESS") or stack.status == REVIEW:
                return None if stack.status == "DELETE_COMPLETE" else stack
            if stack.status != shown:
                shown = stack.status
                self._say(f"{name}: {shown.lower().replace('_', ' ')}")
            self._sleep(POLL_SECONDS)
        return None

    def apply(
        self,
        name: str,
        template: str,
        parameters: Mapping[str, str],
        tags: Mapping[str, str],
        url: str = "",
    ) -> tuple[Stack, bool]:
        """Bring the stack to the template; it, and whether anything was changed."""
        stack = self._ready(name)
        if stack is not None:
            _refuse_of_others(stack, tags)
        where = {"TemplateURL": url} if _is_long(template) else {"TemplateBody": template}
        given = _parameters(parameters)
        labels = [{"Key": key, "Value": value} for key, value in tags.items()]
        try:
            if stack is None:
                self._say(f"{name}: create")
                self._client.create_stack(
                    StackName=name,
                    Parameters=given,
                    Tags=labels,  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
                    Capabilities=["CAPABILITY_IAM"],
                    **where,  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
                )
            else:
                self._client.update_stack(
                    StackName=name,
                    Parameters=given,
                    Tags=labels,  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
                    Capabilities=["CAPABILITY_IAM"],
                    **where,  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
                )
        except ClientError as error:
            if _says_nothing_changes(error) and stack is not None:
                return stack, False
            raise
        return self._done(name), True

    def change_parameters(self, stack: Stack, changed: Mapping[str, str]) -> tuple[Stack, bool]:
        """The same template with other parameters."""
        given: list[ParameterTypeDef] = [
            {"ParameterKey": key, "ParameterValue": changed[key]}
            if key in changed
            else {"ParameterKey": key, "UsePreviousValue": True}
            for key in stack.parameters
        ]
        try:
            self._client.update_stack(
                StackName=stack.name,
                UsePreviousTemplate=True,
                Parameters=given,
                Capabilities=["CAPABILITY_IAM"],
            )
        except ClientError as error:
            if _says_nothing_changes(error):
                return stack, False
            raise
        return self._done(stack.name), True

    def changes(
        self, name: str, template: str, parameters: Mapping[str, str], url: str = ""
    ) -> tuple[Change, ...]:
        """What `apply` would do to an existing stack: asked of CloudFormation itself."""
        try:
            self._create_change_set(name, template, parameters, url)
        except ClientError as error:
            if code_of(error) != "AlreadyExistsException":
                raise
            self._delete_change_set(name)  # of a plan that was interrupted
            self._create_change_set(name, template, parameters, url)
        try:
            return tuple(self._described(name))
        finally:
            self._delete_change_set(name)

    def _create_change_set(
        self, name: str, template: str, parameters: Mapping[str, str], url: str
    ) -> None:
        where = {"TemplateURL": url} if _is_long(template) else {"TemplateBody": template}
        self._client.create_change_set(
            StackName=name,
            ChangeSetName=CHANGE_SET,
            ChangeSetType="UPDATE",
            Parameters=_parameters(parameters),
            Capabilities=["CAPABILITY_IAM"],
            **where,  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        )

    def _delete_change_set(self, name: str) -> None:
        self._client.delete_change_set(StackName=name, ChangeSetName=CHANGE_SET)

    def delete(self, names: Sequence[str]) -> None:
        """Remove stacks: all are asked for, then waited for."""
        for name in names:
            self.settled(name)
            self._say(f"{name}: delete")
            self._client.delete_stack(StackName=name)
        for name in names:
            left = self.settled(name)
            if left is not None:
                raise DeployError(f"{name} is still there: {self._why(left)}")

    # --- inside ---------------------------------------------------------------------------------

    def _ready(self, name: str) -> Stack | None:
        """The stack when it can be updated; None when it has to be created."""
        stack = self.settled(name)
        if stack is not None and stack.status in NEVER_MADE:
            self.delete([name])
            return None
        if stack is not None and stack.status == "UPDATE_ROLLBACK_FAILED":
            self._say(f"{name}: go on with the rollback of its last update")
            self._client.continue_update_rollback(StackName=name)
            stack = self.settled(name)
        if stack is not None and stack.status == "DELETE_FAILED":
            raise DeployError(f"{name} could not be deleted: {self._why(stack)}")
        return stack

    def _done(self, name: str) -> Stack:
        stack = self.settled(name)
        if stack is None or stack.status not in GOOD:
            raise DeployError(f"{name} was not changed: {self._why(stack)}")
        return stack

    def _why(self, stack: Stack | None) -> str:
        """The first thing that went wrong in what the stack did last."""
        if stack is None:
            return "it is gone"
        reasons: list[str] = []
        for event in self._client.describe_stack_events(StackName=stack.id)["StackEvents"]:
            status = event.get("ResourceStatus", "")
            logical, reason = event.get("LogicalResourceId", ""), event.get("ResourceStatusReason")
            if status.endswith("_FAILED") and reason:
                reasons.append(f"{logical}: {reason}")
            begins = status in ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS")
            if begins and logical == stack.name:
                break
        return f"{reasons[-1] if reasons else 'no reason is given'} ({stack.status})"

    def _described(self, name: str) -> Iterator[Change]:
        while True:
            found = self._client.describe_change_set(StackName=name, ChangeSetName=CHANGE_SET)
            if found["Status"] not in ("CREATE_PENDING", "CREATE_IN_PROGRESS"):
                break
            self._sleep(POLL_SECONDS)
        reason = found.get("StatusReason", "")
        if found["Status"] == "FAILED":
            if "didn't contain changes" in reason or "No updates" in reason:
                return
            raise DeployError(f"{name}: {reason}")
        while True:
            for change in found.get("Changes", []):
                resource = change.get("ResourceChange")
                if resource is not None:
                    replaced = resource.get("Replacement") == "True"
                    action = {"Add": "add", "Remove": "remove"}.get(
                        resource.get("Action", ""), "replace" if replaced else "change"
                    )
                    logical = resource.get("LogicalResourceId", "")
                    yield Change(action, logical, resource.get("ResourceType", ""))
            if "NextToken" not in found:
                return
            found = self._client.describe_change_set(
                StackName=name, ChangeSetName=CHANGE_SET, NextToken=found["NextToken"]
            )


def _stack(found: "StackTypeDef") -> Stack:
    return Stack(
        found["StackName"],
        found.get("StackId", found["StackName"]),
        found["StackStatus"],
        {
            str(one.get("ParameterKey")): str(one.get("ParameterValue", ""))
            for one in found.get("Parameters", [])
        },
        {str(o.get("OutputKey")): str(o.get("OutputValue", "")) for o in found.get("Outputs", [])},
        {tag["Key"]: tag["Value"] for tag in found.get("Tags", [])},
        found.get("LastUpdatedTime", found.get("CreationTime")),
    )


def _refuse_of_others(stack: Stack, owner: Mapping[str, str]) -> None:
    """Names run together: `shop` and `prod-a` are called as `prod` and its flow `a` are."""
    if owner.items() <= stack.tags.items():
        return
    whose = ", ".join(
        f"{key.partition(':')[2]} `{value}`"
        for key, value in sorted(stack.tags.items())
        if key.startswith("perdure:")
    )
    raise DeployError(
        f"the stack {stack.name} is there already, and is of {whose or 'somebody else'}: rename"
        " this project, environment or flow"
    )


def _parameters(given: Mapping[str, str]) -> "list[ParameterTypeDef]":
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()]


def _is_long(template: str) -> bool:
    return len(template.encode()) > IN_BODY


def _says_nothing_changes(error: ClientError) -> bool:
    return code_of(error) == "ValidationError" and "No updates are to be performed" in message_of(
        error
    )
