"""What would pass a limit of Step Functions ends the run by its name and line, not before."""

from collections.abc import Callable
from pathlib import Path

import pytest

from perdure.errors import LimitExceeded
from perdure.testing import Result, after, run
from perdure.trace import compare

FLOWS = Path(__file__).parent / "limits.py"


def large(size: int) -> str:
    return "x" * size


def count(n: int) -> int:
    return 1


def refuse(size: int) -> Exception:
    return ValueError("no")


STEPS: dict[str, Callable[[int], object]] = {"large": large, "count": count, "refuse": refuse}


def ended(flow: str, given: dict[str, object], *names: str) -> Result:
    steps = {name: STEPS[name] for name in names}
    return run(f"{FLOWS}:{flow}", given, target="aws", steps=steps)


def line_of(text: str) -> int:
    lines = FLOWS.read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


@pytest.mark.parametrize("size", [110_000, 130_000, 240_000, 270_000, 5_000_000])
def test_values_are_carried_whatever_their_size(size: int) -> None:
    assert ended("carry", {"size": size}, "large", "count").result == size + 1


@pytest.mark.parametrize("branches", [2, 3, 40])
def test_the_values_of_branches_are_carried_together(branches: int) -> None:
    assert ended("joined", {"n": branches}, "large").result == 100_000 * branches


def test_branches_begin_with_what_is_large() -> None:
    assert ended("shared", {"n": 30}, "large", "count").result == [100_001] * 30


def test_a_large_result_is_the_result() -> None:
    assert len(ended("gives", {"size": 1_000_000}, "large").result) == 1_000_000


def test_a_large_state_goes_along_with_an_exception() -> None:
    got = ended("handled", {"size": 100_000}, "large", "refuse")
    assert got.status == "done", got.error
    assert len(got.result) == 100_000


@pytest.mark.parametrize("branches", [40, 41, 100])
def test_branches_that_wait_are_all_under_way(branches: int) -> None:
    assert ended("wide", {"n": branches}).result == branches


def test_the_first_of_a_hundred_may_wait_for_the_last() -> None:
    got = ended("approvals", {"n": 100}, "count")
    assert got.result == 100
    assert got.status == "done"


@pytest.mark.parametrize("steps", [700, 701, 1_500])
def test_a_gather_has_any_number_of_steps(steps: int) -> None:
    assert ended("many", {"n": steps}, "count").result == steps


def counted(n: int) -> object:
    return after("10s", 1)


@pytest.mark.parametrize("branches", [100, 800])
def test_a_gather_with_a_limit_keeps_to_it_and_uses_it(branches: int) -> None:
    """100 are one Map, 800 go to several executions."""
    got = run(
        f"{FLOWS}:limited",
        {"n": branches},
        target="aws",
        steps={"count": counted},
    )
    assert got.result == branches
    ends = [entry.time for entry in got.trace]
    under_way = [sum(at - 10 < end <= at for end in ends) for at in set(ends)]
    assert max(under_way) == 7
    # The last of an execution's share need not fill the limit; all others do.
    assert sum(one == 7 for one in under_way) >= branches // 7 - 4


def test_a_wide_gather_has_the_trace_of_the_reference() -> None:
    def fail(n: int) -> int:
        if n == 750:
            raise ValueError(n)
        return 1

    expected, got = (
        run(f"{FLOWS}:tolerant", {"n": 800}, target=target, steps={"count": fail})
        for target in ("reference", "aws")
    )
    assert compare(expected.whole_trace, got.whole_trace) == []


@pytest.mark.slow
def test_a_gather_of_five_thousand_steps() -> None:
    assert ended("many", {"n": 5_000}, "count").result == 5_000


@pytest.mark.parametrize(("days", "fits"), [(364, True), (366, False)])
def test_a_sleep_lasts_no_longer_than_an_execution(days: int, fits: bool) -> None:
    got = ended("nap", {"days": days})
    if fits:
        assert got.result == days
    else:
        assert isinstance(got.error, LimitExceeded), got.result
        assert "execution_seconds" in str(got.error)


ERRORS = """
from perdure import flow, step

@step
def shout(size: int) -> None:
    raise ValueError("x" * size)

@flow
async def caught(size: int) -> int:
    try:
        await shout(size)
    except ValueError as error:
        return len(str(error))
    return 0

@flow
async def main(size: int) -> None:
    await shout(size)
"""


@pytest.mark.parametrize("size", [100, 28_000, 33_000, 300_000])
def test_an_error_of_any_length_is_caught_and_ends_a_run_whole(tmp_path: Path, size: int) -> None:
    (tmp_path / "flows.py").write_text(ERRORS)
    file = str(tmp_path / "flows.py")
    caught = run(f"{file}:caught", {"size": size}, target="aws", unscripted="run")
    assert caught.result == size
    ended = run(f"{file}:main", {"size": size}, target="aws", unscripted="run")
    assert ended.status == "failed"
    assert repr(ended.error) == repr(ValueError("x" * size))


def test_what_only_run_time_knows_to_have_no_codec_ends_the_run_as_a_type_error(
    tmp_path: Path,
) -> None:
    (tmp_path / "flows.py").write_text(
        "from typing import Any\nfrom perdure import flow, step\n\n"
        "MADE = {'o': object}\n\n"
        "def make(kind: str) -> Any:\n    return MADE[kind]()\n\n"
        "@step\nasync def a(n: int) -> int:\n    return n\n\n"
        "@flow\nasync def main() -> str:\n    x = make('o')\n    await a(1)\n    await a(2)\n"
        "    return type(x).__name__\n"
    )
    result = run(str(tmp_path / "flows.py"), {}, target="aws", unscripted="run")
    assert result.status == "failed"
    assert isinstance(result.error, TypeError)
    assert "`object` cannot cross: it has no codec" in str(result.error)
