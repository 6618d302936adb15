"""Functions as values, ties, values that cannot cross, forks of nothing: as in the reference."""

from collections.abc import Callable
from pathlib import Path

import pytest

from perdure.testing import Result, after, run
from perdure.trace import compare

FLOWS = Path(__file__).parent / "edges.py"


def book(i: int) -> int:
    return i


def cancel_booking(i: int) -> None: ...


def slow(x: object) -> object:
    return after("2s", "slow")


BODIES: dict[str, Callable[..., object]] = {
    "book": book,
    "cancel_booking": cancel_booking,
    "slow": slow,
}


def both(
    flow: str, steps: str = "", events: tuple[tuple[str, str, object], ...] = ()
) -> tuple[Result, Result]:
    expected, got = (
        run(
            f"{FLOWS}:{flow}",
            {"x": "x"},
            target=target,
            steps={name: BODIES[name] for name in steps.split()},
            events=list(events),
        )
        for target in ("reference", "aws")
    )
    return expected, got


def same(flow: str, steps: str = "", events: tuple[tuple[str, str, object], ...] = ()) -> Result:
    expected, got = both(flow, steps, events)
    assert compare(expected.whole_trace, got.whole_trace) == []
    return got


def test_a_saga_of_lambdas_undoes_what_was_done() -> None:
    expected, got = both("saga", "book cancel_booking")
    assert compare(expected.whole_trace, got.whole_trace) == []
    assert [entry.span for entry in got.trace] == [entry.span for entry in expected.trace]
    assert got.result == "undone"
    assert [entry.arguments for entry in got.trace[3:]] == [{"i": 2}, {"i": 1}, {"i": 0}]


def test_a_lambda_of_something_else_than_a_step_is_refused() -> None:
    with pytest.raises(Exception, match=r"PDR390.*a function value that calls `sleep`"):
        run(f"{FLOWS}:mixed", {"x": "x"}, target="aws", steps={"book": book})


def test_lambdas_over_a_variable_of_the_flow_cross_with_their_cell() -> None:
    assert same("over_a_variable", "book cancel_booking").result == "undone"


@pytest.mark.parametrize("flow", ["tie", "tie_of_three"])
def test_an_event_goes_before_the_timers_of_its_instant(flow: str) -> None:
    steps = "slow" if flow == "tie_of_three" else ""
    assert same(flow, steps, (("2s", "go", None),)).result == "c None"


def test_a_tie_of_what_time_alone_decides_goes_to_the_lower_index() -> None:
    assert same("tie_of_three", "slow").result == "a None"


def test_a_result_without_a_codec_fails_the_run() -> None:
    got = same("no_codec", "book")
    assert type(got.error).__name__ == "UncodableError"
    assert isinstance(got.error, TypeError)


def test_a_branch_value_without_a_codec_fails_its_branch() -> None:
    assert isinstance(same("no_codec_in_a_branch", "book").error, TypeError)


@pytest.mark.parametrize("flow", ["argument", "argument_in_a_loop"])
def test_an_argument_without_a_codec_reaches_the_handler(flow: str) -> None:
    assert same(flow, "slow").status == "done"


@pytest.mark.parametrize("flow", ["nothing", "nothing_of_asyncio"])
def test_a_gather_of_nothing_is_the_empty_list(flow: str) -> None:
    assert same(flow, "slow" if flow == "nothing_of_asyncio" else "").result == []
