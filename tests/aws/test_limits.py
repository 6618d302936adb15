"""What would pass a limit of Step Functions ends the run by its name and line, not before."""

from collections.abc import Callable
from pathlib import Path

import pytest

from perdure.errors import LimitExceeded
from perdure.testing import Result, run

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


@pytest.mark.parametrize(("branches", "fits"), [(40, True), (41, False)])
def test_branches_that_wait_must_all_start(branches: int, fits: bool) -> None:
    got = ended("wide", {"n": branches})
    if fits:
        assert got.result == 40
    else:
        assert isinstance(got.error, LimitExceeded), got.result
        assert "inline_map_concurrency" in str(got.error)


@pytest.mark.parametrize(("days", "fits"), [(364, True), (366, False)])
def test_a_sleep_lasts_no_longer_than_an_execution(days: int, fits: bool) -> None:
    got = ended("nap", {"days": days})
    if fits:
        assert got.result == days
    else:
        assert isinstance(got.error, LimitExceeded), got.result
        assert "execution_seconds" in str(got.error)
