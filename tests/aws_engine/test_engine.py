"""The engine itself: virtual time, order, tokens, ends, and that nothing is left behind."""

import json
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from importlib import import_module

import pytest

from perdure_aws.engine import (
    START,
    EngineCannot,
    Execution,
    Json,
    LambdaContext,
    Simulation,
    engine,
)
from tests.aws_engine.machines import (
    CAUGHT,
    SUCCEED,
    State,
    branch,
    call,
    catch,
    machine,
    pass_,
    token,
)

DAY = 86_400


def void(value: object) -> None:
    """Whatever an action gives is not looked at."""


class Recorder:
    """Functions that write down when they ran."""

    def __init__(self, seed: int = 0) -> None:
        self.log: list[tuple[str, float]] = []
        self.tokens: list[str] = []
        self.simulation: Simulation = engine("moto").simulation(
            functions={
                "step": self.step,
                "slow": self.slow,
                "keep": self.keep,
                "fail": self.fail,
            },
            seed=seed,
        )

    def after(self, seconds: float, action: Callable[[], object]) -> None:
        self.simulation.at(START + timedelta(seconds=seconds), lambda: void(action()))

    def note(self, what: str) -> None:
        self.log.append((what, (self.simulation.now() - START).total_seconds()))

    def step(self, event: Json, context: LambdaContext) -> Json:
        self.note(str(event))
        return event

    def slow(self, event: Json, context: LambdaContext) -> Json:
        assert isinstance(event, dict)
        self.note(f"{event['name']} begins")
        seconds = event["seconds"]
        assert isinstance(seconds, int | float)
        context.sleep(seconds)
        self.note(f"{event['name']} ends")
        return event["name"]

    def keep(self, event: Json, context: LambdaContext) -> Json:
        assert isinstance(event, dict)
        self.tokens.append(str(event["token"]))
        return None

    def fail(self, event: Json, context: LambdaContext) -> Json:
        self.note("fail")
        raise ValueError(str(event))

    def run(self, definition: dict[str, Json], given: Json = None) -> Execution:
        return self.simulation.run(definition, given, name="run")


def seconds(run: Execution) -> float:
    assert run.stopped is not None
    return (run.stopped - run.started).total_seconds()


def slow(name: str, lasts: float, **fields: Json) -> State:
    return call("slow", {"name": name, "seconds": lasts}, **fields)


def test_a_year_of_waits_takes_no_time() -> None:
    definition = machine(
        "I",
        {
            "I": pass_({}, Assign={"i": 0}, Next="W"),
            "W": {"Type": "Wait", "Seconds": DAY, "Assign": {"i": "{% $i + 1 %}"}, "Next": "C"},
            "C": {
                "Type": "Choice",
                "Choices": [{"Condition": "{% $i < 300 %}", "Next": "W"}],
                "Default": "Z",
            },
            "Z": {"Type": "Succeed", "Output": "{% $i %}"},
        },
    )
    Recorder()  # whoever is first imports moto
    began = time.perf_counter()
    run = Recorder().run(definition)
    assert time.perf_counter() - began < 2
    assert (run.status, run.output, seconds(run)) == ("SUCCEEDED", 300, 300 * DAY)
    assert run.transitions == len(run.states) == 602


def test_an_execution_lives_a_year_at_most() -> None:
    definition = machine("W", {"W": {"Type": "Wait", "Seconds": 99_999_999, "End": True}})
    run = Recorder().run(definition)
    assert (run.status, seconds(run)) == ("TIMED_OUT", 365 * DAY)
    assert run.history[-1]["type"] == "ExecutionTimedOut"
    assert run.history[-1]["timestamp"] == "2027-01-01T00:00:00.000Z"


def test_retry_delays_are_those_of_the_retrier() -> None:
    retry: Json = [
        {
            "ErrorEquals": ["ValueError"],
            "IntervalSeconds": 2,
            "BackoffRate": 3,
            "MaxDelaySeconds": 10,
            "MaxAttempts": 4,
            "JitterStrategy": "FULL",
        }
    ]
    recorder = Recorder()
    run = recorder.run(machine("A", {"A": call("fail", "no", Retry=retry, End=True)}))
    assert (run.status, run.error) == ("FAILED", "ValueError")
    assert [when for _, when in recorder.log] == [0, 2, 8, 18, 28]
    assert '"errorMessage":"no"' in str(run.cause)


def test_a_task_times_out_and_its_invocation_goes_on() -> None:
    recorder = Recorder()
    run = recorder.run(
        machine(
            "A",
            {
                "A": slow("a", 60, TimeoutSeconds=5, Catch=catch("States.Timeout", "B", CAUGHT),
                          End=True),
                "B": SUCCEED,
            },
        )
    )  # fmt: skip
    assert (run.output, seconds(run)) == ("States.Timeout", 5)
    assert recorder.log == [("a begins", 0), ("a ends", 60)]


def test_a_function_ends_at_its_own_timeout() -> None:
    recorder = Recorder()
    run = recorder.run(machine("A", {"A": slow("a", 1000, End=True)}))
    assert (run.error, seconds(run)) == ("Sandbox.Timedout", 900)


def test_a_machine_times_out() -> None:
    recorder = Recorder()
    run = recorder.run(machine("A", {"A": slow("a", 60, End=True)}, TimeoutSeconds=5))
    assert (run.status, seconds(run)) == ("TIMED_OUT", 5)
    assert recorder.log[-1] == ("a ends", 60)


def parallel(*branches: dict[str, Json], **fields: Json) -> dict[str, Json]:
    state: State = {"Type": "Parallel", "Branches": list(branches), "End": True, **fields}
    return machine("P", {"P": state, "Z": SUCCEED} if "Catch" in fields else {"P": state})


def raises(name: str, after: int) -> dict[str, Json]:
    return branch(
        f"W{name}",
        {
            f"W{name}": {"Type": "Wait", "Seconds": after, "Next": name},
            name: {"Type": "Fail", "Error": name},
        },
    )


def test_a_failing_branch_ends_its_siblings_at_once() -> None:
    began = time.perf_counter()
    recorder = Recorder()
    waiting = branch("T", {"T": token(End=True)})
    working = branch("S", {"S": slow("s", 100, Next="N"), "N": call("step", "after", End=True)})
    run = recorder.run(
        parallel(raises("Late", 50), raises("First", 10), waiting, working,
                 Catch=catch("States.ALL", "Z", CAUGHT))
    )  # fmt: skip
    assert (run.status, run.output, seconds(run)) == ("SUCCEEDED", "First", 10)
    assert recorder.log == [("s begins", 0), ("s ends", 100)]
    assert not recorder.simulation.send_task_success(recorder.tokens[0], 1)
    assert time.perf_counter() - began < 2


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_a_tie_goes_to_the_lower_branch(seed: int) -> None:
    run = Recorder(seed).run(
        parallel(raises("A", 20), raises("B", 10), raises("C", 10),
                 Catch=catch("States.ALL", "Z", CAUGHT))
    )  # fmt: skip
    assert run.output == "B"


def test_results_keep_the_order_of_branches() -> None:
    branches = [branch(f"S{n}", {f"S{n}": slow(f"s{n}", 5 - n, End=True)}) for n in range(4)]
    run = Recorder().run(parallel(*branches, Output="{% $states.result.Payload %}"))
    assert run.output == ["s0", "s1", "s2", "s3"]
    assert seconds(run) == 5


def test_map_is_concurrent_up_to_its_limit() -> None:
    recorder = Recorder()
    item = call("slow", "{% $states.input %}", End=True, Output="{% $states.result.Payload %}")
    definition = machine(
        "M",
        {
            "M": {
                "Type": "Map",
                "Items": [{"name": name, "seconds": 10} for name in "abcde"],
                "MaxConcurrency": 2,
                "ItemProcessor": branch("I", {"I": item}),
                "End": True,
            }
        },
    )
    run = recorder.run(definition)
    assert run.output == list("abcde")
    assert seconds(run) == 30


def test_a_failing_iteration_ends_the_others() -> None:
    states: dict[str, State] = {
        "C": {
            "Type": "Choice",
            "Choices": [{"Condition": "{% $states.input = 2 %}", "Next": "F"}],
            "Default": "W",
        },
        "F": {"Type": "Fail", "Error": "Two"},
        "W": {"Type": "Wait", "Seconds": 1000, "End": True},
    }
    state: State = {
        "Type": "Map", "Items": [1, 2, 3], "ItemProcessor": branch("C", states), "End": True,
    }  # fmt: skip
    run = Recorder().run(machine("M", {"M": state}))
    assert (run.status, run.error, seconds(run)) == ("FAILED", "Two", 0)


def waiting_for_token(**fields: int) -> dict[str, Json]:
    return machine(
        "A",
        {"A": token(End=True, Catch=catch("States.ALL", "B", CAUGHT), **fields), "B": SUCCEED},
    )


def test_a_token_is_answered() -> None:
    recorder = Recorder()
    answers: list[bool] = []

    def answer() -> None:
        answers.append(recorder.simulation.send_task_success(recorder.tokens[0], 7))
        answers.append(recorder.simulation.send_task_success(recorder.tokens[0], 8))

    recorder.after(5, answer)
    run = recorder.run(waiting_for_token(TimeoutSeconds=10))
    assert (run.output, seconds(run), answers) == (7, 5, [True, False])


def test_an_answer_at_the_deadline_wins_over_the_timeout() -> None:
    recorder = Recorder()
    recorder.after(10, lambda: recorder.simulation.send_task_success(recorder.tokens[0], None))
    run = recorder.run(waiting_for_token(TimeoutSeconds=10))
    assert (run.status, run.output, seconds(run)) == ("SUCCEEDED", None, 10)


def test_an_answer_after_the_deadline_comes_too_late() -> None:
    recorder = Recorder()
    late: list[bool] = []
    recorder.after(
        11, lambda: late.append(recorder.simulation.send_task_success(recorder.tokens[0], 1))
    )
    definition = machine(
        "A",
        {
            "A": token(TimeoutSeconds=10, End=True, Catch=catch("States.Timeout", "B", 0)),
            "B": {"Type": "Wait", "Seconds": 5, "End": True},
        },
    )
    run = recorder.run(definition)
    assert (run.status, late, seconds(run)) == ("SUCCEEDED", [False], 15)


def test_a_failed_token_has_error_and_cause() -> None:
    recorder = Recorder()
    recorder.after(
        1, lambda: recorder.simulation.send_task_failure(recorder.tokens[0], "No", "because")
    )
    run = recorder.run(machine("A", {"A": token(End=True)}))
    assert (run.status, run.error, run.cause) == ("FAILED", "No", "because")


def test_heartbeats_keep_a_task_alive() -> None:
    recorder = Recorder()
    for when in (8, 16):
        recorder.after(when, lambda: recorder.simulation.send_task_heartbeat(recorder.tokens[0]))
    run = recorder.run(waiting_for_token(TimeoutSeconds=100, HeartbeatSeconds=10))
    assert (run.output, seconds(run)) == ("States.HeartbeatTimeout", 26)


def test_who_waits_for_ever_is_running() -> None:
    recorder = Recorder()
    run = recorder.run(machine("A", {"A": token(End=True)}))
    assert (run.status, run.stopped, run.output) == ("RUNNING", None, None)
    assert not recorder.simulation.send_task_success(recorder.tokens[0], 1)


def test_a_function_may_answer_another_task() -> None:
    recorder = Recorder()

    def answer(event: Json, context: LambdaContext) -> Json:
        context.sleep(3)
        return recorder.simulation.send_task_success(recorder.tokens[0], "answered")

    simulation = engine("moto").simulation(functions={"keep": recorder.keep, "answer": answer})
    recorder.simulation = simulation
    run = recorder.run(
        parallel(
            branch("A", {"A": token(End=True)}),
            branch("B", {"B": call("answer", None, End=True)}),
            Output="{% [$states.result[0], $states.result[1].Payload] %}",
        )
    )
    assert (run.output, seconds(run)) == (["answered", True], 3)


def test_stop_aborts() -> None:
    recorder = Recorder()
    recorder.after(4, lambda: recorder.simulation.stop("Stopped", "by hand"))
    run = recorder.run(machine("A", {"A": token(End=True)}))
    assert (run.status, run.error, run.cause, seconds(run)) == ("ABORTED", "Stopped", "by hand", 4)
    assert run.history[-1]["type"] == "ExecutionAborted"


def note_time(recorder: Recorder, done: list[float]) -> None:
    done.append((recorder.simulation.now() - START).total_seconds())


def test_actions_after_the_end_happen_when_asked_for() -> None:
    for until_idle, expected in ((False, []), (True, [100.0])):
        recorder, done = Recorder(), list[float]()
        recorder.after(100, partial(note_time, recorder, done))
        recorder.simulation.run(machine("A", {"A": SUCCEED}), {}, name="run", until_idle=until_idle)
        assert done == expected


INTERLEAVED = parallel(
    *(
        branch(
            f"{letter}1",
            {
                f"{letter}1": call("step", f"{letter}1", Next=f"{letter}2"),
                f"{letter}2": call("step", f"{letter}2", Next=f"{letter}3"),
                f"{letter}3": call("step", f"{letter}3", End=True),
            },
        )
        for letter in "ABC"
    ),
    Output="{% $states.result.Payload %}",
)


def interleaving(seed: int) -> tuple[tuple[str, ...], Execution]:
    recorder = Recorder(seed)
    run = recorder.run(INTERLEAVED)
    return tuple(name for name, _ in recorder.log), run


def test_seed_zero_goes_by_branch_and_others_mix() -> None:
    straight, _ = interleaving(0)
    assert straight == ("A1", "A2", "A3", "B1", "B2", "B3", "C1", "C2", "C3")
    orders = {seed: interleaving(seed)[0] for seed in range(1, 9)}
    assert len(set(orders.values())) > 4
    assert all(sorted(order) == sorted(straight) for order in orders.values())


@pytest.mark.parametrize("seed", [0, 5])
def test_equal_runs_are_equal_to_the_byte(seed: int) -> None:
    first, second = interleaving(seed)[1], interleaving(seed)[1]
    assert first == second
    assert first.output == ["A3", "B3", "C3"]


def test_no_thread_is_left_behind() -> None:
    before = threading.active_count()
    recorder = Recorder()
    recorder.run(parallel(branch("T", {"T": token(End=True)}), raises("A", 5)))
    Recorder().run(machine("A", {"A": token(End=True)}))

    def broken(event: Json, context: LambdaContext) -> Json:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        engine("moto").simulation(functions={"f": broken}).run(
            parallel(branch("T", {"T": call("f", 1, End=True)}), raises("A", 5)), {}, name="run"
        )
    assert threading.active_count() == before


def test_a_run_takes_milliseconds() -> None:
    interleaving(0)
    began = time.perf_counter()
    for _ in range(10):
        interleaving(0)
    assert (time.perf_counter() - began) / 10 < 0.2


def test_histories_have_the_shape_of_aws() -> None:
    _, run = interleaving(0)
    by_id = {event["id"]: event for event in run.history}
    assert list(by_id) == list(range(1, len(run.history) + 1))
    started = next(e for e in run.history if e["type"] == "ParallelStateStarted")
    begun = [e for e in run.history if e["previousEventId"] == started["id"]]
    assert [e["type"] for e in begun] == ["TaskStateEntered"] * 3
    assert all(e["timestamp"] == "2026-01-01T00:00:00.000Z" for e in run.history)


def test_an_unknown_function_is_an_error_of_lambda() -> None:
    run = Recorder().run(machine("A", {"A": call("arn:aws:lambda:us-east-1:1:function:no:3", {},
                                                End=True)}))  # fmt: skip
    assert (run.status, run.error) == ("FAILED", "Lambda.ResourceNotFoundException")


@pytest.mark.parametrize("name", ["step", "arn:aws:lambda:us-east-1:123456789012:function:step:7"])
def test_functions_are_found_by_name_and_arn(name: str) -> None:
    run = Recorder().run(
        machine("A", {"A": call(name, "x", Output="{% $states.result.Payload %}", End=True)})
    )
    assert run.output == "x"


def test_an_error_may_name_itself() -> None:
    class BrokenError(Exception):
        error_type = "Perdure.Refused"

    def broken(event: Json, context: LambdaContext) -> Json:
        raise BrokenError("text")

    simulation = engine("moto").simulation(functions={"f": broken})
    run = simulation.run(machine("A", {"A": call("f", {}, End=True)}), {}, name="run")
    assert run.error == "Perdure.Refused"


@pytest.mark.parametrize(
    ("resource", "reason"),
    [
        ("sqs:sendMessage", "calls sqs"),
        ("states:startExecution.sync:2", "start no others"),
        ("states:startExecution", "start no others"),
    ],
)
def test_what_the_engine_cannot_do_is_not_an_outcome_of_the_machine(
    resource: str, reason: str
) -> None:
    state: State = {"Type": "Task", "Resource": f"arn:aws:states:::{resource}", "End": True}
    state["Arguments"] = {"StateMachineArn": "arn:x", "QueueUrl": "https://x", "MessageBody": "x"}
    state["Catch"] = catch("States.ALL", "B", {})
    with pytest.raises(EngineCannot, match=reason):
        Recorder().run(machine("A", {"A": state, "B": SUCCEED}))


def test_other_services_are_motos_where_moto_is_on(monkeypatch: pytest.MonkeyPatch) -> None:
    boto3, moto = import_module("boto3"), import_module("moto")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with moto.mock_aws():
        url = boto3.client("sqs").create_queue(QueueName="q")["QueueUrl"]
        state: State = {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage"}
        state |= {"Arguments": {"QueueUrl": url, "MessageBody": {"a": 1}}, "End": True}
        run = Recorder().run(machine("A", {"A": state}))
        assert run.status == "SUCCEEDED"
        (message,) = boto3.client("sqs").receive_message(QueueUrl=url)["Messages"]
    assert json.loads(message["Body"]) == {"a": 1}


def test_a_function_may_run_a_simulation_of_its_own() -> None:
    def nested(event: Json, context: LambdaContext) -> Json:
        inner = Recorder()
        ended = inner.run(machine("A", {"A": slow("inner", 60, End=True)}, TimeoutSeconds=30))
        context.sleep(5)
        return [ended.status, str(ended.history[-1]["timestamp"])]

    simulation = engine("moto").simulation(functions={"nested": nested})
    run = simulation.run(machine("A", {"A": call("nested", 1, End=True)}), {}, name="run")
    assert run.output is not None
    assert isinstance(run.output, dict)
    assert run.output["Payload"] == ["TIMED_OUT", "2026-01-01T00:00:30.000Z"]
    assert seconds(run) == 5


def test_a_simulation_runs_once() -> None:
    recorder = Recorder()
    recorder.run(machine("A", {"A": SUCCEED}))
    with pytest.raises(ValueError, match="once"):
        recorder.run(machine("A", {"A": SUCCEED}))
