"""Definitions with one fault each, and the code of the finding that names it."""

from perdure_aws.engine import Json
from tests.aws_engine.machines import SUCCEED, branch, call, catch, machine, pass_, token

type Definition = dict[str, Json]


def one(**fields: Json) -> Definition:
    """A machine of one Pass state."""
    return machine("A", {"A": {"Type": "Pass", "End": True, **fields}})


def task(**fields: Json) -> Definition:
    return machine("A", {"A": {**call("f", {}, End=True), **fields}})


def caught(output: Json) -> Definition:
    state = call("f", {}, End=True, Catch=catch("States.ALL", "B", output))
    return machine("A", {"A": state, "B": SUCCEED})


def retry(*retriers: Json) -> Definition:
    return machine("A", {"A": call("f", {}, End=True, Retry=list(retriers))})


def wait(**fields: Json) -> Definition:
    return machine("A", {"A": {"Type": "Wait", "End": True, **fields}})


PARALLEL: Json = [branch("P", {"P": pass_({}, Assign={"k": 2}, End=True)})]

BROKEN: dict[str, tuple[str, Definition]] = {
    "eval": ("EVAL", one(Output="{% $eval('1') %}")),
    "context": ("NO_CONTEXT_DOCUMENT", one(Output="{% $ %}")),
    "root": ("NO_CONTEXT_DOCUMENT", one(Output="{% $$ %}")),
    "bare field": ("NO_CONTEXT_DOCUMENT", one(Output={"a": ["{% foo.bar %}"]})),
    "bare field in an argument": ("NO_CONTEXT_DOCUMENT", one(Output="{% $sum(prices) %}")),
    "syntax": ("INVALID_JSONATA", one(Output="{% (1 %}")),
    "coalescing": ("INVALID_JSONATA", one(Output="{% $states.input.a ?? 1 %}")),
    "elvis": ("INVALID_JSONATA", one(Output="{% $states.input.a ?: 1 %}")),
    "half open": ("HALF_EXPRESSION", one(Output="{% 1")),
    "half closed": ("HALF_EXPRESSION", one(Output="1 %}")),
    "result before": (
        "UNSUPPORTED_JSONATA_EXPRESSION",
        task(Arguments={"FunctionName": "f", "Payload": "{% $states.result %}"}),
    ),
    "result in a pass": ("UNSUPPORTED_JSONATA_EXPRESSION", one(Output="{% $states.result %}")),
    "error without a catch": (
        "UNSUPPORTED_JSONATA_EXPRESSION",
        task(Output="{% $states.errorOutput.Error %}"),
    ),
    "result in a catch": (
        "UNSUPPORTED_JSONATA_EXPRESSION",
        caught("{% $states.result %}"),
    ),
    "states field": ("UNKNOWN_STATES_FIELD", one(Output="{% $states.output %}")),
    "token": ("TASK_TOKEN", task(Output="{% $states.context.Task.Token %}")),
    "item": ("MAP_ITEM", one(Output="{% $states.context.Map.Item.Value %}")),
    "deep": ("TOO_DEEP", one(Output=f"{{% {'+'.join(['1'] * 150)} %}}")),
    "unknown variable": ("UNKNOWN_VARIABLE", one(Output="{% $nobody %}")),
    "states assigned": ("VARIABLE_NAME", one(Assign={"states": 1})),
    "name with a dot": ("VARIABLE_NAME", one(Assign={"a.b": 1})),
    "name with an underscore": ("VARIABLE_NAME", one(Assign={"_a": 1})),
    "long variable": ("VARIABLE_NAME", one(Assign={"a" * 81: 1})),
    "hidden function": ("HIDES_FUNCTION", one(Assign={"count": 1})),
    "inner assigns outer": (
        "DUPLICATE_VARIABLE_NAME",
        machine("V", {
            "V": pass_({}, Assign={"k": 1}, Next="Q"),
            "Q": {"Type": "Parallel", "Branches": PARALLEL, "End": True},
        }),
    ),
    "inner assigns what the loop assigns": (
        "DUPLICATE_VARIABLE_NAME",
        machine("Q", {
            "Q": {"Type": "Parallel", "Branches": PARALLEL, "Assign": {"k": 1}, "Next": "C"},
            "C": {"Type": "Choice", "Choices": [{"Condition": True, "Next": "Q"}],
                  "Default": "D"},
            "D": SUCCEED,
        }),
    ),
    "next": ("MISSING_TRANSITION_TARGET", machine("A", {"A": pass_({}, Next="Nope")})),
    "start": ("MISSING_TRANSITION_TARGET", machine("Nope", {"A": SUCCEED})),
    "catch to nowhere": (
        "MISSING_TRANSITION_TARGET", task(Catch=catch("States.ALL", "Nope", {}))),
    "unreachable": ("UNREACHABLE_STATE", machine("A", {"A": SUCCEED, "B": SUCCEED})),
    "twice": (
        "DUPLICATE_STATE_NAME",
        machine("A", {"A": {"Type": "Parallel", "End": True,
                            "Branches": [branch("A", {"A": SUCCEED})]}}),
    ),
    "long name": ("NAME_LENGTH", machine("A" * 81, {"A" * 81: SUCCEED})),
    "no end": ("MISSING_END_STATE", machine("A", {"A": {"Type": "Pass"}})),
    "jsonpath field": ("UNKNOWN_FIELD", one(ResultPath="$.x")),
    "assign in succeed": (
        "UNKNOWN_FIELD", machine("A", {"A": {"Type": "Succeed", "Assign": {"a": 1}}})),
    "jsonpath machine": ("QUERY_LANGUAGE", {**one(), "QueryLanguage": "JSONPath"}),
    "jsonpath state": ("QUERY_LANGUAGE", one(QueryLanguage="JSONPath")),
    "tolerance inline": (
        "UNKNOWN_FIELD",
        machine("A", {"A": {"Type": "Map", "Items": [], "ToleratedFailureCount": 1, "End": True,
                            "ItemProcessor": branch("B", {"B": SUCCEED})}}),
    ),
    "items": (
        "FIELD_TYPE",
        machine("A", {"A": {"Type": "Map", "Items": 5, "End": True,
                            "ItemProcessor": branch("B", {"B": SUCCEED})}}),
    ),
    "heartbeat": ("HEARTBEAT", task(TimeoutSeconds=10, HeartbeatSeconds=10)),
    "timeout": ("NUMBER_RANGE", task(TimeoutSeconds=0)),
    "wait": ("NUMBER_RANGE", wait(Seconds=100_000_000)),
    "wait twice": ("WAIT", wait(Seconds=1, Timestamp="2030-01-01T00:00:00Z")),
    "resource": ("RESOURCE", task(Resource="{% $states.input %}")),
    "all with others": (
        "STATES_ALL", retry({"ErrorEquals": ["States.ALL", "Other"], "MaxAttempts": 1})),
    "all first": (
        "STATES_ALL", retry({"ErrorEquals": ["States.ALL"]}, {"ErrorEquals": ["Other"]})),
    "dead retrier": (
        "DEAD_HANDLER", retry({"ErrorEquals": ["Mine"]}, {"ErrorEquals": ["Other", "Mine"]})),
    "covered retrier": (
        "DEAD_HANDLER", retry({"ErrorEquals": ["States.TaskFailed"]}, {"ErrorEquals": ["Mine"]})),
    "reserved": ("RESERVED_ERROR", retry({"ErrorEquals": ["States.Mine"]})),
    "backoff": ("FIELD_TYPE", retry({"ErrorEquals": ["E"], "BackoffRate": 0.5})),
    "attempts": ("NUMBER_RANGE", retry({"ErrorEquals": ["E"], "MaxAttempts": -1})),
    "condition": (
        "FIELD_TYPE",
        machine("A", {"A": {"Type": "Choice", "Choices": [{"Condition": "yes", "Next": "B"}],
                            "Default": "B"}, "B": SUCCEED}),
    ),
    "size": ("DATA_LIMIT", one(Output="x" * 262_145)),
    "definition": (
        "DEFINITION_TOO_LARGE",
        machine("A", {"A": {"Type": "Pass", "Comment": "x" * 1_048_577, "End": True}}),
    ),
}  # fmt: skip

GOOD: dict[str, Definition] = {
    "pass": one(Output="{% $states.input.a[b = 1].c %}"),
    "paths may read fields": one(Output="{% $states.input.(a + $sum(b)) %}"),
    "sorting may read fields": one(Output="{% $states.input.xs^(>price).name %}"),
    "an object on a path": one(Output="{% $states.input.xs.{'a': b} %}"),
    "lambdas have parameters": one(Output="{% $map([1], function($v, $i) { $v + $i }) %}"),
    "blocks bind": one(Output="{% ($t := 1; $t + 1) %}"),
    "literals that look odd": one(Output={"$": "$.x", "text": "100% {no}", "n": None}),
    "names that only look alike": one(Output="{% $states.input.eval & $states.input.states %}"),
    "token": machine("A", {"A": token(TimeoutSeconds=10, HeartbeatSeconds=9, End=True)}),
    "item": machine("A", {
        "A": {"Type": "Map", "Items": "{% $states.input %}", "End": True,
              "ItemSelector": {"v": "{% $states.context.Map.Item.Value %}"},
              "ItemProcessor": branch("B", {"B": SUCCEED})}}),
    "siblings share names": machine("A", {
        "A": {"Type": "Parallel", "Next": "Z", "Assign": {"k": "{% $states.result[0] %}"},
              "Branches": [branch("B", {"B": pass_(1, Assign={"k": 1}, End=True)}),
                           branch("C", {"C": pass_(1, Assign={"k": 2}, End=True)})]},
        "Z": pass_("{% $k %}", End=True)}),
    "handlers": machine("A", {
        "A": call("f", {}, End=True,
                  Retry=[{"ErrorEquals": ["States.Timeout"], "MaxAttempts": 0},
                         {"ErrorEquals": ["States.ALL"], "BackoffRate": 1,
                          "JitterStrategy": "FULL", "MaxDelaySeconds": 60}],
                  Catch=catch("States.ALL", "B", "{% $states.errorOutput %}")),
        "B": {"Type": "Fail", "Error": "{% $states.input.Error %}", "Cause": "c"}}),
}  # fmt: skip
