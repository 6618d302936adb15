"""Small definitions that the tests of the engine share."""

from collections.abc import Mapping

from perdure_aws.engine import Json

INVOKE = "arn:aws:states:::lambda:invoke"
type State = dict[str, Json]


def machine(start: str, states: Mapping[str, State], **fields: Json) -> dict[str, Json]:
    return {"QueryLanguage": "JSONata", "StartAt": start, "States": dict(states), **fields}


def branch(start: str, states: Mapping[str, State]) -> dict[str, Json]:
    return {"StartAt": start, "States": dict(states)}


def call(function: str, payload: Json, /, **fields: Json) -> State:
    arguments: dict[str, Json] = {"FunctionName": function, "Payload": payload}
    return {"Type": "Task", "Resource": INVOKE, "Arguments": arguments, **fields}


def token(function: str = "keep", /, **fields: Json) -> State:
    """A task that waits for its token, which it gives to the function."""
    state = call(function, {"token": "{% $states.context.Task.Token %}"}, **fields)
    return {**state, "Resource": f"{INVOKE}.waitForTaskToken"}


def pass_(output: Json, /, **fields: Json) -> State:
    return {"Type": "Pass", "Output": output, **fields}


def catch(error: str, target: str, output: Json) -> list[Json]:
    return [{"ErrorEquals": [error], "Next": target, "Output": output}]


CAUGHT = "{% $states.errorOutput.Error %}"
SUCCEED: State = {"Type": "Succeed"}
