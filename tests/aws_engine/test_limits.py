"""The limits of Step Functions, each one just kept and just broken."""

import json

import pytest

from perdure_aws.engine import DefinitionRejected, Execution, Json, LambdaContext, engine
from perdure_aws.limits import LIMITS, limit, value_of
from tests.aws_engine.machines import CAUGHT, SUCCEED, branch, call, catch, machine, pass_

LIMIT = 262_144
QUOTES = 2


def run(definition: dict[str, Json], given: Json = None, *, max_events: int = 25_000) -> Execution:
    def big(event: Json, context: LambdaContext) -> Json:
        assert isinstance(event, int)
        return "x" * event

    simulation = engine("moto").simulation(functions={"big": big}, max_events=max_events)
    return simulation.run(definition, given, name="run")


def padded(size: int) -> str:
    return f"{{% $pad('', {size}, 'x') %}}"


def test_every_row_says_what_the_compiler_does() -> None:
    assert len({row.name for row in LIMITS}) == len(LIMITS)
    for row in LIMITS:
        assert row.value > 0
        assert row.source
        assert row.compiler
    assert limit("payload_bytes").value == value_of("payload_bytes") == LIMIT
    with pytest.raises(KeyError):
        value_of("nothing")


@pytest.mark.parametrize(
    ("size", "status"), [(LIMIT - QUOTES, "SUCCEEDED"), (LIMIT - QUOTES + 1, "FAILED")]
)
def test_an_output_has_256_kib(size: int, status: str) -> None:
    ended = run(machine("A", {"A": pass_(padded(size), End=True)}))
    assert ended.status == status
    assert ended.error == (None if status == "SUCCEEDED" else "States.DataLimitExceeded")


@pytest.mark.parametrize(("extra", "caught"), [(0, False), (1, True)])
def test_a_variable_has_256_kib_and_too_much_can_be_caught(extra: int, caught: bool) -> None:
    size = LIMIT - len('{"v":""}') + extra
    state = call("big", 1, Assign={"v": padded(size)}, Output="fits", End=True,
                 Catch=catch("States.ALL", "B", CAUGHT))  # fmt: skip
    ended = run(machine("A", {"A": state, "B": SUCCEED}))
    assert ended.output == ("States.DataLimitExceeded" if caught else "fits")


def test_one_assign_has_256_kib() -> None:
    half = padded(LIMIT // 2)
    ended = run(machine("A", {"A": pass_({}, Assign={"a": half, "b": half}, End=True)}))
    assert ended.error == "States.DataLimitExceeded"


def assign_many(count: int) -> dict[str, Json]:
    states = {
        f"S{n}": pass_({}, Assign={f"v{n}": padded(262_000)}, Next=f"S{n + 1}")
        for n in range(count)
    }
    return machine("S0", {**states, f"S{count}": SUCCEED})


@pytest.mark.parametrize(("count", "status"), [(40, "SUCCEEDED"), (41, "FAILED")])
def test_all_variables_have_10_mib(count: int, status: str) -> None:
    assert run(assign_many(count)).status == status


def test_variables_of_ended_branches_do_not_count() -> None:
    inner = branch("V", {"V": pass_({}, Assign={"v": padded(262_000)}, End=True)})
    definition = machine(
        "M",
        {
            "M": {"Type": "Map", "Items": "{% [1..60] %}", "MaxConcurrency": 4, "End": True,
                  "ItemProcessor": inner},
        },
    )  # fmt: skip
    assert run(definition).status == "SUCCEEDED"


def test_a_result_and_arguments_have_256_kib() -> None:
    large = call("big", LIMIT, End=True, Catch=catch("States.ALL", "B", CAUGHT))
    ended = run(machine("A", {"A": large, "B": SUCCEED}))
    assert ended.output == "States.DataLimitExceeded"
    asked = call("big", padded(LIMIT), End=True, Catch=catch("States.ALL", "B", CAUGHT))
    assert run(machine("A", {"A": asked, "B": SUCCEED})).output == "States.DataLimitExceeded"


def test_the_results_of_branches_together_have_256_kib() -> None:
    branches: Json = [branch(f"S{n}", {f"S{n}": pass_(padded(200_000), End=True)}) for n in (1, 2)]
    ended = run(machine("P", {"P": {"Type": "Parallel", "Branches": branches, "End": True}}))
    assert ended.error == "States.DataLimitExceeded"


def test_the_input_and_the_name_have_their_limits() -> None:
    with pytest.raises(ValueError, match="262144"):
        run(machine("A", {"A": SUCCEED}), "x" * LIMIT)
    with pytest.raises(ValueError, match="80 characters"):
        engine("moto").simulation(functions={}).run(machine("A", {"A": SUCCEED}), {}, name="n" * 81)


def test_answers_of_tokens_have_their_limits() -> None:
    simulation = engine("moto").simulation(functions={})
    with pytest.raises(ValueError, match="262144"):
        simulation.send_task_success("t", "x" * LIMIT)
    with pytest.raises(ValueError, match="256"):
        simulation.send_task_failure("t", "e" * 257)
    with pytest.raises(ValueError, match="32768"):
        simulation.send_task_failure("t", "e", "c" * 32_769)


def loop(times: int) -> dict[str, Json]:
    return machine(
        "I",
        {
            "I": pass_({}, Assign={"i": 0}, Next="C"),
            "C": {
                "Type": "Choice",
                "Choices": [
                    {
                        "Condition": f"{{% $i < {times} %}}",
                        "Assign": {"i": "{% $i + 1 %}"},
                        "Next": "C",
                    }
                ],
                "Default": "Z",
            },
            "Z": SUCCEED,
        },
    )


@pytest.mark.parametrize(("events", "status"), [(46, "SUCCEEDED"), (45, "FAILED")])
def test_the_history_ends_at_its_limit(events: int, status: str) -> None:
    ended = run(loop(19), max_events=events)
    assert ended.status == status
    assert len(ended.history) == events
    last = ended.history[-1]
    assert last["type"] == f"Execution{status.capitalize()}"
    if status == "FAILED":
        assert ended.error == "States.Runtime"
        assert "maximum number of history events" in str(ended.cause)


def test_the_history_has_25_000_events() -> None:
    ended = run(loop(100_000))
    assert (ended.status, ended.error, len(ended.history)) == ("FAILED", "States.Runtime", 25_000)


def test_a_history_that_is_full_cannot_be_caught() -> None:
    inner = loop(1000)
    state: Json = {
        "Type": "Parallel",
        "Branches": [{"StartAt": "I", "States": inner["States"]}],
        "Catch": catch("States.ALL", "E", "caught"),
        "End": True,
    }
    definition = machine("P", {"P": state, "E": SUCCEED})  # type: ignore[dict-item]  # a state
    assert run(definition, max_events=100).status == "FAILED"


def test_a_definition_has_1_mb() -> None:
    assert len(json.dumps(assign_many(1))) < 1_048_576
    too_large = machine("A", {"A": {"Type": "Succeed", "Comment": "x" * 1_048_576}})
    with pytest.raises(DefinitionRejected, match="DEFINITION_TOO_LARGE"):
        run(too_large)
