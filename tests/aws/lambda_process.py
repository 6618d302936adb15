"""The bundle's own handler in a process of its own, called as Lambda calls it.

The process sees the unpacked bundle, the standard library, boto3 and moto; not this checkout. One
line of JSON comes in (an event and the time), one goes out: the answer, or the error as Lambda's
Python runtime reports it (`errorType` is the class's `__name__`, `errorMessage` its text), and the
task tokens that were answered meanwhile. Moto keeps its DynamoDB table.
"""

import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self, final

from perdure_aws.engine import Json, LambdaContext
from perdure_aws.engine.interface import Simulation

__all__ = ["LambdaProcess"]

SERVER = """
import json, os, sys, time
sys.path[:] = [sys.argv[1], *json.loads(sys.argv[2])]
os.environ.update(AWS_ACCESS_KEY_ID="none", AWS_SECRET_ACCESS_KEY="none",
                  AWS_DEFAULT_REGION="us-east-1", PERDURE_TABLE="runs")
clock = [0.0]
time.time = lambda: clock[0]
import boto3, botocore.client, moto
moto.mock_aws().start()
rung = []
call = botocore.client.BaseClient._make_api_call
def answer(self, operation, asked):
    if operation in ("SendTaskSuccess", "SendTaskFailure"):
        rung.append({"operation": operation, **asked})
        return {}
    return call(self, operation, asked)
botocore.client.BaseClient._make_api_call = answer
from perdure_aws.dynamodb import DynamoStore, table_definition
store = DynamoStore(boto3.client("dynamodb"), "runs")
store._client.create_table(**table_definition("runs"))
from perdure_aws import handler
from perdure.store.inbox import put_event
from perdure.store.match import match, rung as heard
from perdure.store.runs import get_run
from perdure.store.records import run_body
out = sys.stdout
sys.stdout = sys.stderr
for line in sys.stdin:
    asked = json.loads(line)
    clock[0] = asked["now"]
    said = {}
    if "send" in asked:
        run, name, payload = asked["send"]
        put_event(store, run, name, payload, id="sent", now=clock[0])
        for bell in match(store, run, name):
            handler.TaskTokens().ring(bell.token)
            heard(store, bell)
    elif "record" in asked:
        said["answer"] = run_body(get_run(store, asked["record"]))
    else:
        try:
            said["answer"] = handler.handle(asked["event"], None)
        except Exception as error:
            said.update(errorType=type(error).__name__, errorMessage=str(error))
    said["rung"] = rung[:]
    rung.clear()
    out.write(json.dumps(said) + "\\n")
    out.flush()
"""


class Failed(Exception):  # noqa: N818  (it says what happened)
    """The handler raised: `error_type` is what Lambda reports."""

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type


@final
class LambdaProcess:
    """A `LambdaFunction` of the engine; rings the simulation's tokens."""

    def __init__(self, bundle: Path, *, twice: bool = False) -> None:
        """`twice`: every event is delivered twice, and the second answer counts."""
        self.simulation: Simulation | None = None
        self.answers: list[dict[str, Any]] = []
        self._times = 2 if twice else 1
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", SERVER, str(bundle), json.dumps(_paths())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=bundle,
        )

    def __call__(self, event: Json, context: LambdaContext, /) -> Json:
        """One delivery, or two."""
        said: dict[str, Any] = {}
        for _ in range(self._times):
            said = self._ask(context.now().timestamp(), event=event)
        if "errorType" in said:
            raise Failed(said["errorType"], said["errorMessage"])
        answer: Json = said["answer"]
        return answer

    def send(self, run: str, name: str, payload: Json) -> None:
        """Store an event and ring who waits, as a sender does."""
        assert self.simulation is not None
        self._ask(self.simulation.now().timestamp(), send=[run, name, payload])

    def record(self, run: str) -> dict[str, Any]:
        """The run's record in the table."""
        found: dict[str, Any] = self._ask(0.0, record=run)["answer"]
        return found

    def _ask(self, now: float, **what: Json) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"now": now, **what}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the process has died"
        said: dict[str, Any] = json.loads(line)
        self.answers.append(said)
        for one in said["rung"]:
            assert self.simulation is not None
            if one["operation"] == "SendTaskSuccess":
                self.simulation.send_task_success(one["taskToken"], json.loads(one["output"]))
            else:
                self.simulation.send_task_failure(one["taskToken"], one["error"], one["cause"])
        return said

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()


def _paths() -> list[str]:
    """The standard library and what is installed; no `.pth` is read, so not this checkout."""
    installed = [path for path in sys.path if Path(path).name == "site-packages"]
    standard = [path for path in sys.path if path.startswith(sys.base_prefix)]
    return [*standard, *installed]
