"""CloudFormation takes its time: what a stack was asked for is under way for some looks.

moto does everything within the request. AWS answers at once and goes on: DescribeStacks shows
`..._IN_PROGRESS` (without outputs, of a stack that is made), and nothing else is taken meanwhile.
"""

from collections.abc import Callable, Mapping
from typing import Any, final

from botocore.exceptions import ClientError

__all__ = ["UnderWay"]

type Answer = dict[str, Any]
type Perform = Callable[[str, Mapping[str, Any]], Answer]

VERBS = {"CreateStack": "CREATE", "UpdateStack": "UPDATE", "DeleteStack": "DELETE"}


@final
class UnderWay:
    """What goes on in the stacks of one region."""

    def __init__(self) -> None:
        self.looks = 0
        """DescribeStacks that still show it under way; 0 as moto does it, within the request."""
        self._left: dict[str, int] = {}
        self._shown: dict[str, Answer] = {}

    def call(self, operation: str, given: Mapping[str, Any], perform: Perform) -> Answer:
        """One request to CloudFormation."""
        if operation == "DescribeStacks":
            return self._look(given, perform)
        name = str(given.get("StackName", ""))
        if operation == "CreateChangeSet" or operation in VERBS:
            self._refuse(name, operation)
        if operation not in VERBS or not self.looks:
            return perform(operation, given)
        before = self._described(name, perform)
        answer = perform(operation, given)
        shown = self._described(name, perform) if operation == "CreateStack" else before
        if shown is not None:
            shown["StackStatus"] = f"{VERBS[operation]}_IN_PROGRESS"
            if operation == "CreateStack":
                shown.pop("Outputs", None)
            self._shown[name], self._left[name] = shown, self.looks
        return answer

    def _refuse(self, name: str, operation: str) -> None:
        if name in self._left:
            status = self._shown[name]["StackStatus"]
            said = f"Stack:{name} is in {status} state and can not be updated."
            raise ClientError({"Error": {"Code": "ValidationError", "Message": said}}, operation)

    def _look(self, given: Mapping[str, Any], perform: Perform) -> Answer:
        name = given.get("StackName")
        going = [n for n in self._left if name in (None, n)]
        shown = [dict(self._shown[one]) for one in going]
        for one in going:
            self._left[one] -= 1
            if not self._left[one]:
                del self._left[one], self._shown[one]
        if name is not None and shown:
            return {"Stacks": shown}
        answer = perform("DescribeStacks", given)
        kept = [one for one in answer["Stacks"] if one["StackName"] not in going]
        return {**answer, "Stacks": [*kept, *shown]}

    def _described(self, name: str, perform: Perform) -> Answer | None:
        try:
            found: Answer = perform("DescribeStacks", {"StackName": name})["Stacks"][0]
        except ClientError:
            return None
        return found
