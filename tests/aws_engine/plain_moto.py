"""Run definitions on moto as it comes, with the least wiring that makes JSONata work at all.

Reads a JSON object (name -> {definition, input, action}) from stdin, prints name -> result. It runs
in a process of its own: nothing of perdure may be there to correct anything.
"""

import json
import logging
import os
import sys
import time
from importlib import import_module
from typing import Any

os.environ.update(AWS_DEFAULT_REGION="us-east-1", AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="x")

import boto3
import moto
import moto.stepfunctions.parser.asl.jsonata.jsonata as wiring
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser

TOKENS: list[str] = []
ROLE = "arn:aws:iam::123456789012:role/x"
PATIENCE = 4.0


def evaluate(expression: str) -> Any:
    return import_module("jsonata").Jsonata(expression).evaluate(None)


def invoke(parameters: dict[str, Any], region: str, state_credentials: Any) -> dict[str, Any]:
    event = json.loads(parameters.get("Payload") or b"{}")
    if "token" in event:
        TOKENS.append(event["token"])
    return {"StatusCode": 200, "Payload": event}


def answer(client: Any, action: str) -> bool | None:
    """What the test does with the token of the waiting task."""
    if not TOKENS:
        return None
    try:
        if action in ("fail", "fail-first"):
            client.send_task_failure(taskToken=TOKENS.pop(), error="Rejected", cause="because")
        elif action == "late":
            time.sleep(1.5)
            client.send_task_success(taskToken=TOKENS.pop(), output="{}")
            return True
    except Exception:
        return False
    return None


def run(client: Any, name: str, case: dict[str, Any]) -> dict[str, Any]:
    if case["action"] == "inspect-timeout":
        program: Any = AmazonStateLanguageParser.parse(json.dumps(case["definition"]))[0]
        return {"status": "", "output": program.states.states["A"].timeout.timeout_seconds}
    TOKENS.clear()
    machine = client.create_state_machine(
        name=name, definition=json.dumps(case["definition"]), roleArn=ROLE
    )["stateMachineArn"]
    execution = client.start_execution(
        stateMachineArn=machine, name=name, input=json.dumps(case["input"])
    )["executionArn"]
    patience = 0.5 if name == "thirty-days" else PATIENCE
    until, late = time.time() + patience, None
    while True:
        found = client.describe_execution(executionArn=execution)
        if found["status"] != "RUNNING" or time.time() > until:
            break
        late = answer(client, case["action"]) if late is None else late
        time.sleep(0.02)
    history = client.get_execution_history(executionArn=execution, maxResults=1000)["events"]
    return {
        "status": found["status"],
        "raw": found.get("output"),
        "output": readable(found.get("output")),
        "error": found.get("error"),
        "cause": found.get("cause"),
        "late": late,
        "types": [event["type"] for event in history],
        "assigned": [
            event["stateExitedEventDetails"].get("assignedVariables")
            for event in history
            if "stateExitedEventDetails" in event
        ],
    }


def readable(text: str | None) -> Any:
    try:
        return json.loads(text) if text is not None else None
    except ValueError:
        return text


def main() -> None:
    logging.disable(logging.CRITICAL)
    setattr(wiring, "_eval_jsonata", evaluate)  # noqa: B010
    setattr(lambda_eval_utils, "_invoke_lambda_function", invoke)  # noqa: B010
    cases = json.load(sys.stdin)
    with moto.mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        client: Any = vars(boto3)["client"]("stepfunctions")
        results = {}
        for name, case in cases.items():
            try:
                results[name] = run(client, name, case)
            except Exception as error:
                results[name] = {"status": "REFUSED", "error": f"{type(error).__name__}: {error}"}
    json.dump(results, sys.stdout, default=str)


main()
