"""The sites function: what Lambda calls.

Configured by its environment: `PERDURE_TABLE` is the run store's table, `PERDURE_MACHINES` a JSON
object that names the machine of each flow of the bundle by its ARN, `PERDURE_SECRETS` one that
says where each secret lies that is read here. Everything else is in the bundle beside it. Clients
and the event loop live as long as the process, so module-level clients of steps keep working.
"""

import asyncio
import importlib
import json
import os
import sys
import threading
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Protocol, final

import boto3

from perdure.codec import Json
from perdure.runtime.bodies import Attempted
from perdure.runtime.functions import ModuleFunctions
from perdure.secrets import read_from
from perdure.sites.bodies import flow_named, timed_attempt
from perdure.sites.error_names import CANCELLED
from perdure.sites.host import Host
from perdure.sites.masked import mask_logging, masked_output
from perdure.sites.operations import Attempt
from perdure.sites.site import invoke
from perdure.sites.state import fields, text
from perdure.store.protocol import RunStore, Versions
from perdure_aws.dynamodb import DynamoStore
from perdure_aws.ended import record_end
from perdure_aws.secret_values import SecretValues

__all__ = [
    "ABOUT",
    "LambdaContext",
    "TaskTokens",
    "WrongPython",
    "handle",
    "run_store",
    "use_secrets",
]

BUNDLE = Path(__file__).parent.parent
ABOUT = BUNDLE / "perdure_bundle.json"


class WrongPython(RuntimeError):  # noqa: N818  (Lambda reports the name of the class)
    """The function's runtime is not the Python that the bundle was compiled for."""


def _check_python(pinned: str) -> None:
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    if running != pinned:
        raise WrongPython(
            f"this bundle is compiled for Python {pinned}, and the function runs {running}: set its"
            f' runtime to python{pinned}, or write `python = "{running}"` under `[tool.perdure]`'
            " in pyproject.toml and compile again"
        )


if ABOUT.is_file():
    # At import, so that a wrong runtime shows when the function starts, before any run has begun.
    _check_python(json.loads(ABOUT.read_text("utf-8"))["python"])


class LambdaContext(Protocol):
    """The part of Lambda's context that is used here."""

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends the invocation."""
        ...


def handle(event: Mapping[str, Json], context: LambdaContext) -> Json:
    """Lambda's entry: one invocation of a site, or what EventBridge tells of an execution."""
    use_secrets()
    with masked_output():
        if event.get("source") == "aws.states":
            flow = text(json.loads(ABOUT.read_text("utf-8"))["flow"])
            record_end(_host(flow), fields(event["detail"]))
            return None
        return invoke(_host(text(event["flow"])), event)


@cache
def use_secrets() -> None:
    """Let `secret(...).value` read what this function may read; once per process."""
    places: dict[str, str] = json.loads(os.environ.get("PERDURE_SECRETS", "{}"))
    if places:
        # Any: a client without stubs, used through a Protocol of its own.
        boto: Any = boto3
        read_from(SecretValues(boto.client("secretsmanager"), places))
        mask_logging()


@cache
def _host(flow: str) -> Host:
    """Everything of one flow that outlives an invocation."""
    about = json.loads(ABOUT.read_text("utf-8"))
    modules = {
        ref: importlib.import_module(f"perdure_sites.{sites}")
        for ref, sites in about["flows"].items()
    }
    return Host(
        table=modules[flow].FLOW,
        store=run_store(),
        steps=_bodies(),
        bell=TaskTokens(),
        executions=Machines(json.loads(os.environ.get("PERDURE_MACHINES", "{}"))),
        flow_named=flow_named,
        versions=Versions(about["perdure"], about["python"], about["codec"], about["source"]),
        target="aws",
        wide=True,
        forks=True,
        now=time.time,
        sleep=time.sleep,
        functions=ModuleFunctions({module.__name__: module for module in modules.values()}),
    )


@cache
def _bodies() -> "Bodies":
    return Bodies()


@cache
def run_store() -> RunStore:
    """The run store that the environment names."""
    client = boto3.client("dynamodb")  # pyright: ignore[reportUnknownMemberType]  (other services)
    return DynamoStore(client, os.environ["PERDURE_TABLE"])


@final
class Bodies:
    """Runs the bodies of steps on one event loop for the whole process."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="perdure steps", daemon=True).start()

    def attempt(self, attempt: Attempt) -> Attempted | None:
        """One attempt, ended at the step's timeout."""
        return asyncio.run_coroutine_threadsafe(timed_attempt(attempt), self._loop).result()


@final
class TaskTokens:
    """Rings waiting Tasks through the Step Functions API."""

    def __init__(self) -> None:
        client = boto3.client("stepfunctions")  # pyright: ignore[reportUnknownMemberType]  (others)
        self._client = client

    def ring(self, token: str) -> bool:
        """SendTaskSuccess; False when nobody waits any more."""
        gone = (self._client.exceptions.TaskTimedOut, self._client.exceptions.TaskDoesNotExist)
        try:
            self._client.send_task_success(taskToken=token, output="true")
        except gone:
            return False
        return True

    def fail(self, token: str, error: str, cause: str) -> bool:
        """SendTaskFailure; False when nobody waits any more."""
        gone = (self._client.exceptions.TaskTimedOut, self._client.exceptions.TaskDoesNotExist)
        try:
            self._client.send_task_failure(taskToken=token, error=error, cause=cause)
        except gone:
            return False
        return True


@final
class Machines:
    """Executions of the bundle's flows; `arns`: the machine of each, by the flow."""

    def __init__(self, arns: Mapping[str, str]) -> None:
        self._arns = arns
        client = boto3.client("stepfunctions")  # pyright: ignore[reportUnknownMemberType]  (others)
        self._client = client

    def start(self, flow: str, name: str, given: Mapping[str, Json]) -> None:
        """StartExecution; the same name and input again is the execution that there is."""
        try:
            self._client.start_execution(
                stateMachineArn=self._arns[flow], name=name, input=json.dumps(given)
            )
        except self._client.exceptions.ExecutionAlreadyExists:
            return  # it has ended since: StartExecution answers for those that run

    def events(self, flow: str, name: str) -> int:
        """GetExecutionHistory, its last event."""
        page = self._client.get_execution_history(
            executionArn=self._execution(flow, name), maxResults=1, reverseOrder=True
        )
        return page["events"][0]["id"]

    def stop(self, flow: str, name: str) -> None:
        """StopExecution."""
        if flow not in self._arns:
            return  # not ours to stop: the run sees the cancel when it goes on
        arn = self._execution(flow, name)
        try:
            self._client.stop_execution(
                executionArn=arn, error=CANCELLED, cause="the run was cancelled"
            )
        except self._client.exceptions.ExecutionDoesNotExist:
            return

    def _execution(self, flow: str, name: str) -> str:
        # arn:aws:states:region:account:stateMachine:name[:version]
        parts = self._arns[flow].split(":")
        return ":".join([*parts[:5], "execution", parts[6], name])
