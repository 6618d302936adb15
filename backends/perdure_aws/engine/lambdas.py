"""Invoke a function of the simulation as the Lambda service would."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, final

from perdure_aws.engine.interface import Json, LambdaContext, LambdaFunction
from perdure_aws.engine.run import Run
from perdure_aws.engine.scheduler import current
from perdure_aws.limits import value_of

__all__ = ["FunctionMissing", "find_function", "invoke", "respond"]

MAX_SECONDS: Final = value_of("lambda_seconds")
"""A function runs 15 minutes at most (lambda/latest/dg/gettingstarted-limits.html)."""


class FunctionMissing(Exception):  # noqa: N818
    """No function of this name."""


class _Stopped(BaseException):
    """The function's own timeout: Lambda ends the sandbox wherever it is."""


@final
class _Context:
    """The `context` of one invocation."""

    def __init__(self, run: Run, name: str, request: str, deadline: datetime) -> None:
        self.function_name = name
        self.aws_request_id = request
        self._scheduler = run.scheduler
        self._deadline = deadline
        self._whole: datetime | None = None

    def now(self) -> datetime:
        return self._scheduler.now

    def get_remaining_time_in_millis(self) -> int:
        return int((self._deadline - self.now()) / timedelta(milliseconds=1))

    def is_abandoned(self) -> bool:
        task = current()
        # Who had come to the end of an instant has done what was due then.
        return task is not None and task.killed and self._whole != self.now()

    def settle(self, depth: int) -> None:
        if not self.is_abandoned():
            self._whole = self.now()
        self._scheduler.settle(depth)

    def sleep(self, seconds: float) -> None:
        until = self.now() + timedelta(seconds=seconds)
        if seconds > 0:
            self._scheduler.wait(until=min(until, self._deadline))
        if until > self._deadline:
            raise _Stopped


def invoke(run: Run, name: str, event: Json) -> dict[str, Json]:
    """One invocation, in the current task: Lambda's InvocationResponse as Step Functions sees it.

    While it runs the task is shielded: Step Functions gives up a task that timed out or whose
    sibling failed, but the invocation goes on to its end.
    """
    function = find_function(run.functions, name)
    seconds = float(getattr(function, "timeout_seconds", MAX_SECONDS))
    run.invocations += 1
    context = _Context(
        run,
        name,
        f"00000000-0000-4000-8000-{run.invocations:012d}",
        run.scheduler.now + timedelta(seconds=seconds),
    )
    task = current()
    if task is None:
        raise RuntimeError("an invocation needs a task")
    run.scheduler.breathe()
    task.shielded += 1
    run.under_way += 1
    try:
        response = respond(function, event, context, seconds)
    finally:
        run.under_way -= 1
        task.shielded -= 1
    run.scheduler.check_killed(task)
    run.scheduler.breathe()
    return response


def find_function(functions: Mapping[str, LambdaFunction], name: str) -> LambdaFunction:
    """The function that a FunctionName means, a name or an ARN with or without version."""
    parts = name.split(":")
    bare = parts[6] if name.startswith("arn:") and len(parts) > 6 else parts[0]
    for candidate in (name, bare):
        if candidate in functions:
            return functions[candidate]
    raise FunctionMissing(name)


def respond(
    function: LambdaFunction, event: Json, context: LambdaContext, seconds: float
) -> dict[str, Json]:
    """Lambda's answer to one invocation, whatever the function does."""
    try:
        answer = function(event, context)
    except _Stopped:
        message = f"Task timed out after {seconds:.2f} seconds"
        return _failed("Sandbox.Timedout", f"RequestId: {context.aws_request_id} Error: {message}")
    except SystemExit as left:
        message = f"Runtime exited with error: exit status {left.code}"
        return _failed("Runtime.ExitError", f"RequestId: {context.aws_request_id} Error: {message}")
    except Exception as error:
        kind = getattr(error, "error_type", None)
        return _failed(kind if isinstance(kind, str) else type(error).__name__, str(error))
    try:
        text = json.dumps(answer, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        return _failed("Runtime.MarshalError", f"Unable to marshal response: {error}")
    payload: Json = json.loads(text)
    return {"StatusCode": 200, "ExecutedVersion": "$LATEST", "Payload": payload}


def _failed(kind: str, message: str) -> dict[str, Json]:
    payload: Json = {"errorMessage": message, "errorType": kind, "stackTrace": []}
    answer: dict[str, Json] = {"StatusCode": 200, "ExecutedVersion": "$LATEST"}
    return {**answer, "FunctionError": "Unhandled", "Payload": payload}
