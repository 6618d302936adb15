"""One machine for each fault of moto: what AWS ends with, and the correction that it is about."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from perdure_aws.engine import Json
from tests.aws_engine.machines import (
    CAUGHT,
    SUCCEED,
    branch,
    call,
    catch,
    machine,
    pass_,
    token,
)

HARD = 'he said "hi"\n\\back\\ {% x %} $y é😀'
NOTHING = "{% $states.input.nope %}"


@dataclass(frozen=True)
class Case:
    """`expected` looks at what a run gave: status, output, error, cause, types, assigned, late."""

    correction: str
    definition: dict[str, Json]
    expected: Callable[[dict[str, Any]], bool]
    input: Json = field(default_factory=dict[str, Json])
    action: str = ""
    max_events: int = 25_000


def gives(output: Json) -> Callable[[dict[str, Any]], bool]:
    return lambda run: run["status"] == "SUCCEEDED" and run["output"] == output


def fails(error: str) -> Callable[[dict[str, Any]], bool]:
    return lambda run: run["status"] == "FAILED" and run["error"] == error


def started_before_the_first_end(types: list[str]) -> int:
    ended = types.index("MapIterationSucceeded") if "MapIterationSucceeded" in types else None
    return types[:ended].count("MapIterationStarted")


CASES: dict[str, Case] = {
    "quotes-in-a-variable": Case(
        "wire_jsonata",
        machine("A", {
            "A": pass_({}, Assign={"s": "{% $states.input.s %}"}, Next="B"),
            "B": pass_("{% $s %}", End=True),
        }),
        gives(HARD),
        {"s": HARD},
    ),
    "uuid": Case(
        "wire_jsonata",
        machine("A", {"A": pass_("{% $length($uuid()) %}", End=True)}),
        gives(36),
    ),
    "swap": Case(
        "assign_at_the_end",
        machine("A", {
            "A": pass_({}, Assign={"x": 1, "y": 2}, Next="B"),
            "B": pass_("{% [$x, $y] %}", Assign={"x": "{% $y %}", "y": "{% $x %}"}, End=True),
        }),
        gives([1, 2]),
    ),
    "output-is-caught": Case(
        "output_in_the_catch_scope",
        machine("A", {
            "A": call("echo", {}, Output=NOTHING, End=True,
                      Catch=catch("States.QueryEvaluationError", "B", "caught")),
            "B": SUCCEED,
        }),
        gives("caught"),
    ),
    "catcher-leads-back": Case(
        "a_catcher_may_lead_back",
        machine("A", {
            "A": call("echo", "{% $states.input = 'again' ? 'in' : $states.input.nope %}",
                      Output="done", Next="B",
                      Catch=catch("States.QueryEvaluationError", "A", "again")),
            "B": SUCCEED,
        }),
        gives("done"),
    ),
    "assign-is-undone": Case(
        "output_in_the_catch_scope",
        machine("I", {
            "I": pass_({}, Assign={"x": 1}, Next="A"),
            "A": call("echo", {}, Assign={"x": 2}, Output=NOTHING, End=True,
                      Catch=catch("States.ALL", "B", {})),
            "B": pass_("{% $x %}", End=True),
        }),
        gives(1),
    ),
    "a-token-per-attempt": Case(
        "output_in_the_catch_scope",
        machine("A", {
            "A": token(End=True, TimeoutSeconds=1,
                       Retry=[{"ErrorEquals": ["Rejected"], "MaxAttempts": 1,
                               "IntervalSeconds": 1}],
                       Catch=catch("States.ALL", "B", CAUGHT)),
            "B": SUCCEED,
        }),
        gives("States.Timeout"),
        action="fail-first",
    ),
    "rule-and-default-share-a-target": Case(
        "rules_and_default_have_their_own_assign",
        machine("I", {
            "I": pass_({}, Assign={"t": "none"}, Next="C"),
            "C": {"Type": "Choice", "Default": "D", "Assign": {"t": "small"}, "Choices": [
                {"Condition": "{% true %}", "Assign": {"t": "big"}, "Next": "D"}]},
            "D": {"Type": "Succeed", "Output": "{% $t %}"},
        }),
        gives("big"),
    ),
    "nothing-matches": Case(
        "rules_and_default_have_their_own_assign",
        machine("C", {
            "C": {"Type": "Choice", "Choices": [{"Condition": "{% false %}", "Next": "D"}]},
            "D": SUCCEED,
        }),
        fails("States.NoChoiceMatched"),
    ),
    "a-condition-that-is-text": Case(
        "conditions_are_boolean",
        machine("C", {
            "C": {"Type": "Choice", "Default": "D",
                  "Choices": [{"Condition": "{% 'x' %}", "Next": "D"}]},
            "D": SUCCEED,
        }),
        fails("States.QueryEvaluationError"),
    ),
    "states-error-in-a-branch": Case(
        "branches_are_tasks",
        machine("P", {
            "P": {"Type": "Parallel", "End": True,
                  "Branches": [branch("A", {"A": pass_(NOTHING, End=True)})],
                  "Catch": catch("States.QueryEvaluationError", "B", CAUGHT)},
            "B": SUCCEED,
        }),
        gives("States.QueryEvaluationError"),
    ),
    "states-error-in-an-iteration": Case(
        "states_errors_leave_iterations",
        machine("P", {
            "P": {"Type": "Map", "Items": [1], "End": True,
                  "ItemProcessor": branch("A", {"A": pass_(NOTHING, End=True)}),
                  "Catch": catch("States.QueryEvaluationError", "B", CAUGHT)},
            "B": SUCCEED,
        }),
        gives("States.QueryEvaluationError"),
    ),
    "forty-iterations-at-once": Case(
        "iterations_are_tasks",
        machine("M", {
            "M": {"Type": "Map", "Items": "{% [1..45] %}", "End": True,
                  "ItemProcessor": branch("W", {
                      "W": {"Type": "Wait", "Seconds": 1, "End": True}})},
        }),
        lambda run: started_before_the_first_end(run["types"]) == 40,
    ),
    "the-item-is-the-selectors": Case(
        "map_item_is_for_the_selector",
        machine("M", {
            "M": {"Type": "Map", "Items": [1], "End": True, "ItemProcessor": branch("A", {
                "A": pass_("{% $exists($lookup($states.context, 'Map')) %}", End=True)})},
        }),
        gives([False]),
    ),
    "the-cause-of-a-failed-token": Case(
        "tokens_are_answered_once",
        machine("A", {"A": token(End=True)}),
        lambda run: run["error"] == "Rejected" and run["cause"] == "because",
        action="fail",
    ),
    "an-answer-after-the-timeout": Case(
        "tokens_are_answered_once",
        machine("A", {
            "A": token(TimeoutSeconds=1, End=True, Catch=catch("States.Timeout", "B", {})),
            "B": {"Type": "Wait", "Seconds": 2, "End": True},
        }),
        lambda run: run["late"] is False,
        action="late",
    ),
    "a-heartbeat-without-a-timeout": Case(
        "a_heartbeat_sets_no_timeout",
        machine("A", {"A": token(HeartbeatSeconds=30, End=True)}),
        lambda run: run["output"] == 99_999_999,
        action="inspect-timeout",
    ),
    "a-missed-heartbeat": Case(
        "heartbeats_have_their_own_error",
        machine("A", {
            "A": token(TimeoutSeconds=9, HeartbeatSeconds=1, End=True,
                       Catch=catch("States.ALL", "B", CAUGHT)),
            "B": SUCCEED,
        }),
        gives("States.HeartbeatTimeout"),
    ),
    "task-failed-means-most-errors": Case(
        "errors_match_as_on_aws",
        machine("A", {
            "A": call("echo", {}, End=True, Assign={"x": "{% $pad('', 262200, 'x') %}"},
                      Catch=catch("States.TaskFailed", "B", CAUGHT)),
            "B": SUCCEED,
        }),
        gives("States.DataLimitExceeded"),
    ),
    "a-long-error-name": Case(
        "texts_are_cut",
        machine("F", {"F": {"Type": "Fail", "Error": "E" * 300, "Cause": "c" * 40_000}}),
        lambda run: len(run["error"]) == 256 and len(run["cause"]) == 32_768,
    ),
    "an-umlaut-has-two-bytes": Case(
        "measure_as_aws_does",
        machine("A", {"A": pass_({"a": "{% $pad('', 100000, 'é') %}"}, End=True)}),
        lambda run: run["status"] == "SUCCEEDED",
    ),
    "a-timestamp-with-an-offset": Case(
        "waits_read_what_aws_reads",
        machine("W", {
            "W": {"Type": "Wait", "Timestamp": "{% $states.input %}", "Output": 1, "End": True}}),
        gives(1),
        "2020-01-01t00:00:00.123456789+02:00",
    ),
    "one-and-a-half-seconds": Case(
        "waits_read_what_aws_reads",
        machine("W", {"W": {"Type": "Wait", "Seconds": "{% 1.5 %}", "End": True}}),
        fails("States.QueryEvaluationError"),
    ),
    "thirty-days": Case(
        "time_is_virtual",
        machine("W", {"W": {"Type": "Wait", "Seconds": 2_592_000, "Output": 1, "End": True}}),
        gives(1),
    ),
    "the-redrive-count": Case(
        "context_is_complete",
        machine("A", {"A": pass_("{% $states.context.Execution.RedriveCount %}", End=True)}),
        gives(0),
    ),
    "a-quote-in-a-key": Case(
        "strings_are_json",
        machine("A", {"A": pass_({'a "quoted" key': 1}, End=True)}),
        gives({'a "quoted" key': 1}),
    ),
    "too-many-events": Case(
        "history_is_limited",
        machine("I", {
            "I": pass_({}, Assign={"i": 0}, Next="C"),
            "C": {"Type": "Choice", "Default": "Z", "Choices": [
                {"Condition": "{% $i < 60 %}", "Assign": {"i": "{% $i + 1 %}"}, "Next": "C"}]},
            "Z": SUCCEED,
        }),
        lambda run: run["error"] == "States.Runtime" and len(run["types"]) == 100,
        max_events=100,
    ),
    "one-event-for-a-failed-evaluation": Case(
        "failed_evaluations_are_told_once",
        machine("A", {
            "A": call("echo", NOTHING, End=True, Catch=catch("States.ALL", "B", {})),
            "B": SUCCEED,
        }),
        lambda run: run["types"].count("EvaluationFailed") == 1,
    ),
    "assigned-text-is-json": Case(
        "assigned_variables_are_json",
        machine("A", {"A": pass_({}, Assign={"q": "{% 'a' & '\"' & 'b' %}"}, End=True)}),
        lambda run: run["assigned"] == [{"q": '"a\\"b"'}],
    ),
}  # fmt: skip
