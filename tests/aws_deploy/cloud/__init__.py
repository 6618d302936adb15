"""A cloud in this process: moto's services, with what is missing in them for a deployment.

    with cloud(folder) as there:
        ...                      # boto3 as usual, credentials of account 123456789012
        there.advance(3600)      # an hour later
        there.calls              # every request, and whose it was

`there.fault` is asked before every request of whoever deploys; what it raises is what boto3 raises.
"""

import json
import os
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, final
from unittest.mock import patch

from botocore.client import BaseClient
from botocore.exceptions import BotoCoreError, ClientError

from perdure_aws.deploy import stacks
from perdure_aws.deploy.account import code_of
from perdure_aws.engine.lambdas import respond
from tests.aws_deploy.cloud.front import Front, Response, Sent
from tests.aws_deploy.cloud.functions import Functions
from tests.aws_deploy.cloud.states import Running, States
from tests.aws_deploy.cloud.under_way import UnderWay

__all__ = ["Call", "Cloud", "Response", "cloud"]

SECRETS = {
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "AWS_DEFAULT_REGION": "us-east-1",
}
DEPLOYER = "deployer"
LISTS: tuple[tuple[Any, str, str, str], ...] = (
    ("cloudformation", "describe_stacks", "Stacks", "StackName"),
    ("lambda", "list_functions", "Functions", "FunctionName"),
    ("iam", "list_roles", "Roles", "RoleName"),
    ("dynamodb", "list_tables", "TableNames", ""),
    ("s3", "list_buckets", "Buckets", "Name"),
    ("logs", "describe_log_groups", "logGroups", "logGroupName"),
    ("secretsmanager", "list_secrets", "SecretList", "Name"),
)
"""Of each service: how what it keeps is listed."""


class Call(NamedTuple):
    """One request to AWS."""

    by: str
    """The function (its ARN) that made it, or `deployer`."""
    service: str
    operation: str
    given: Mapping[str, Any]


@final
class Cloud:
    """One account and region."""

    def __init__(self, folder: Path) -> None:
        self.now = datetime.now(UTC).replace(microsecond=0)
        self.calls: list[Call] = []
        self.fault: Callable[[Call], None] = lambda call: None
        self.deliveries = 1
        """How often Scheduler tells of a moment: at least once."""
        self.front = Front()
        self._by = [DEPLOYER]
        self.under_way = UnderWay()
        self.gone_versions: set[tuple[str, str]] = set()
        """Of functions: name and number."""
        self.states = States(Functions(folder, self._invoked), lambda: self.now)
        self.states.ended.append(self._ended)

    def advance(self, seconds: float) -> None:
        """Let time pass, and everything happen that is due meanwhile."""
        until = self.now + timedelta(seconds=seconds)
        self.states.settle()
        while (due := self._next_due()) is not None and due <= until:
            before, self.now = self.now, max(self.now, due)
            if due > before and self.front.next_due(before) == due:
                for _ in range(self.deliveries):
                    self.front.tell(self._invoke, due)
            self.states.settle()
        self.now = until
        self.states.settle()

    def request(
        self, url: str, body: bytes = b"", headers: Mapping[str, str] = {}, method: str = "POST"
    ) -> Response:
        """A request from outside, to an HTTP API."""
        return self.front.request(Sent(url, body, headers, method), self._invoke, self.now)

    def _next_due(self) -> datetime | None:
        due = (self.states.next_due(), self.front.next_due(self.now))
        return min((one for one in due if one is not None), default=None)

    def _invoke(self, function: str, event: Any) -> Mapping[str, Any]:
        """Invoke a function that no execution waits for."""
        context: Any = _Context(self)  # Any: the part that a told function asks for
        version = self.front.invoked(function)
        return respond(self.states.functions[version], event, context, 900.0)

    def left(self) -> list[str]:
        """Everything that is there: stacks, and what stands for itself in moto's services."""
        found = [
            *self.states.machines,
            *self.states.rules,
            *self.front.schedules,
            *self.front.aliases,
        ]
        session: Any = import_module("boto3")  # Any: services by names that are data
        for service, operation, member, name in LISTS:
            answer = getattr(session.client(service), operation)()
            found += [one if isinstance(one, str) else str(one[name]) for one in answer[member]]
        return found

    def call(self, client: BaseClient, operation: str, given: Mapping[str, Any]) -> Any:
        """One request, through moto but where it is ours."""
        service = client.meta.service_model.service_name
        call = Call(self._by[-1], service, operation, given)
        self.calls.append(call)
        if call.by == DEPLOYER:
            self._faulty(client, call)
        if service == "stepfunctions":
            answer = self._states_call(client, operation, given)
        elif service == "cloudformation":
            # What CloudFormation asks other services for is not the caller's.
            with self._invoked(service):
                answer = self.under_way.call(operation, given, partial(_api_call, client))
        elif operation == "DeleteFunction" and "Qualifier" in given:
            # moto 5.2.5 gives the number of a version that is gone to another one; AWS never does.
            self.gone_versions.add((str(given["FunctionName"]), str(given["Qualifier"])))
            answer = {}
        else:
            answer = _api_call(client, operation, given)
        return answer

    def _states_call(self, client: BaseClient, operation: str, given: Mapping[str, Any]) -> Any:
        """Ours, with the exceptions of the client's own classes."""
        try:
            return self.states.call(operation, given)
        except ClientError as error:
            own: Any = client.exceptions  # Any: classes that it makes of the service's model
            code = code_of(error)
            raise own.from_code(code)(error.response, operation) from None

    def _faulty(self, client: BaseClient, call: Call) -> None:
        """What a fault raises passes by whoever listens, as botocore's own errors do."""
        event = f"{call.service}.{call.operation}"
        try:
            self.fault(call)
        except ClientError as error:
            client.meta.events.emit(
                f"after-call.{event}",
                parsed=error.response,
                http_response=SimpleNamespace(status_code=400),
                model=client.meta.service_model.operation_model(call.operation),
                context={},
            )
            raise
        except BotoCoreError as error:
            client.meta.events.emit(f"after-call-error.{event}", exception=error, context={})
            raise

    @staticmethod
    def refused(code: str, message: str, call: Call) -> ClientError:
        """What boto3 raises when a service refuses."""
        return ClientError({"Error": {"Code": code, "Message": message}}, call.operation)

    @contextmanager
    def _invoked(self, arn: str) -> Generator[None]:
        """What is requested inside is the function's."""
        self._by.append(arn)
        try:
            yield
        finally:
            self._by.pop()

    def _ended(self, one: Running) -> None:
        """EventBridge tells the rules of an execution's end."""
        machine = one.machine
        for rule in list(self.states.rules.values()):
            wanted = rule["EventPattern"]["detail"]
            if machine in wanted["stateMachineArn"] and one.now.status in wanted["status"]:
                for target in rule["Targets"]:
                    self._tell(target["Arn"], one)

    def _tell(self, function: str, one: Running) -> None:
        event: Any = {
            "source": "aws.states",
            "detail-type": "Step Functions Execution Status Change",
            "detail": {
                "executionArn": one.arn,
                "stateMachineArn": one.machine,
                "stateMachineVersionArn": one.version,
                "name": one.arn.rpartition(":")[2],
                "status": one.now.status,
                "input": one.input,
                "error": one.now.error,
                "cause": one.now.cause,
            },
        }
        said = self._invoke(function, event)
        assert "FunctionError" not in said, json.dumps(said)


@final
class _Context:
    """Of an invocation that no execution waits for."""

    function_name = "told"
    aws_request_id = "00000000-0000-4000-8000-000000000000"

    def __init__(self, of: Cloud) -> None:
        self._cloud = of

    def now(self) -> datetime:
        return self._cloud.now

    def settle(self) -> None:
        pass

    def sleep(self, seconds: float) -> None:
        raise AssertionError("nobody sleeps here")

    def get_remaining_time_in_millis(self) -> int:
        return 900_000


_api_call: Any = vars(BaseClient)["_make_api_call"]


@contextmanager
def cloud(folder: Path) -> Generator[Cloud]:
    """A fresh cloud; `folder` is where it unpacks what runs in it."""
    moto: Any = import_module("moto")
    from tests.aws_deploy.cloud.formation import corrected

    there = Cloud(folder)

    def call(self: BaseClient, operation_name: str, api_params: Mapping[str, Any]) -> Any:
        return there.call(self, operation_name, api_params)

    with (
        patch.dict(os.environ, SECRETS),
        moto.mock_aws(config={"lambda": {"use_docker": False}}),
        corrected(there.states, there.front),
        patch.object(stacks, "POLL_SECONDS", 0.0),
        patch.object(BaseClient, "_make_api_call", call),
    ):
        try:
            yield there
        finally:
            there.states.close()
