"""The second runner agrees with the first, and says what it cannot know."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from perdure_aws.engine import START, EngineCannot, Execution, Json, LambdaContext, engine
from tests.aws_engine.faulty import CASES
from tests.aws_engine.machines import SUCCEED, branch, call, catch, machine, pass_, token

type Definition = dict[str, Json]


def step(event: Json, context: LambdaContext) -> Json:
    if event == "fail":
        raise ValueError("no")
    if event == "sleep":
        context.sleep(5)
    return [event, context.now().isoformat()]


def run(name: str, definition: Definition, given: Json = None) -> Execution:
    simulation = engine(name).simulation(functions={"step": step, "echo": step})
    return simulation.run(definition, given, name="run-7")


SAME: dict[str, Definition] = {
    "a task": machine("A", {"A": call("step", 1, Output="{% $states.result.Payload %}", End=True)}),
    "a caught error": machine(
        "A",
        {
            "A": call("step", "fail", End=True,
                      Catch=catch("ValueError", "B", "{% $parse($states.errorOutput.Cause) %}")),
            "B": SUCCEED,
        },
    ),
    "an error": machine("A", {"A": call("step", "fail", End=True)}),
    "a sleep": machine("A", {"A": call("step", "sleep", End=True)}),
    "a wait": machine("A", {
        "A": {"Type": "Wait", "Seconds": 60, "Next": "B"},
        "B": call("step", 2, End=True),
    }),
    "branches": machine("A", {
        "A": {"Type": "Parallel", "End": True, "Branches": [
            branch("B", {"B": call("step", 1, End=True)}),
            branch("C", {"C": call("step", 2, End=True)})]},
    }),
    "a map": machine("A", {
        "A": {"Type": "Map", "Items": [1, 2, 3], "End": True,
              "ItemProcessor": branch("B", {"B": call("step", "{% $states.input %}", End=True)})},
    }),
    "the name": machine("A", {"A": pass_("{% $states.context.Execution.Name %}", End=True)}),
    "an unknown function": machine("A", {"A": call("nobody", 1, End=True)}),
}  # fmt: skip


@pytest.mark.parametrize("name", SAME)
def test_both_engines_end_alike(name: str) -> None:
    moto, sfnx = run("moto", SAME[name]), run("sfnx", SAME[name])
    assert (sfnx.status, sfnx.output, sfnx.error) == (moto.status, moto.output, moto.error)
    assert sfnx.states == moto.states
    assert sfnx.stopped == moto.stopped


AGREED = (
    "quotes-in-a-variable", "swap", "output-is-caught", "assign-is-undone",
    "rule-and-default-share-a-target", "nothing-matches", "a-condition-that-is-text",
    "the-item-is-the-selectors", "a-timestamp-with-an-offset", "one-and-a-half-seconds",
    "thirty-days", "the-redrive-count", "a-quote-in-a-key",
)  # fmt: skip


@pytest.mark.parametrize("name", AGREED)
def test_sfnx_sees_the_faults_of_moto_as_we_do(name: str) -> None:
    case = CASES[name]
    ended = run("sfnx", case.definition, case.input)
    assert case.expected({"status": ended.status, "output": ended.output, "error": ended.error}), (
        ended
    )


FAILING = branch("F", {"F": {"Type": "Fail", "Error": "E"}})
CANNOT: dict[str, Definition] = {
    "a token": machine("A", {"A": token("step", End=True)}),
    "a wait in a branch": machine("A", {
        "A": {"Type": "Parallel", "End": True,
              "Branches": [branch("W", {"W": {"Type": "Wait", "Seconds": 1, "End": True}})]}}),
    "a sleep under a timeout": machine("A", {
        "A": call("step", "sleep", TimeoutSeconds=1, End=True)}),
    "a failing branch": machine("A", {
        "A": {"Type": "Parallel", "Branches": [FAILING, branch("B", {"B": SUCCEED})],
              "Catch": catch("States.ALL", "C", {}), "End": True}, "C": SUCCEED}),
    "another service": machine("A", {
        "A": {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "End": True}}),
}  # fmt: skip


@pytest.mark.parametrize("name", CANNOT)
def test_what_depends_on_time_or_order_is_refused(name: str) -> None:
    with pytest.raises(EngineCannot):
        run("sfnx", CANNOT[name])


def test_there_is_no_time_for_actions() -> None:
    simulation = engine("sfnx").simulation(functions={})
    asked: list[Callable[[], object]] = [
        lambda: simulation.at(START + timedelta(seconds=1), lambda: None),
        lambda: simulation.send_task_success("t", 1),
        lambda: simulation.send_task_failure("t"),
        lambda: simulation.send_task_heartbeat("t"),
        simulation.stop,
    ]
    for ask in asked:
        with pytest.raises(EngineCannot):
            ask()


def test_an_unknown_engine_is_named() -> None:
    with pytest.raises(ValueError, match="ministack"):
        engine("ministack")
