"""Every limit of Workflows: kept by the compiler and the sites, or met by its name."""

from collections.abc import Callable
from pathlib import Path

import pytest

from perdure.testing import Result, run

FLOWS = Path(__file__).parent.parent / "aws" / "limits.py"


def large(size: int) -> str:
    return "x" * size


def count(n: int) -> int:
    return 1


def refuse(size: int) -> Exception:
    return ValueError("no" * size)


STEPS: dict[str, Callable[[int], object]] = {"large": large, "count": count, "refuse": refuse}


def ended(flow: str, given: dict[str, object], *names: str, target: str = "gcp") -> Result:
    steps = {name: STEPS[name] for name in names}
    return run(f"{FLOWS}:{flow}", given, target=target, steps=steps)


@pytest.mark.parametrize("size", [7_900, 8_100, 39_000, 41_000, 262_000, 5_000_000])
def test_values_are_carried_whatever_their_size(size: int) -> None:
    assert ended("carry", {"size": size}, "large", "count").result == size + 1


@pytest.mark.parametrize("size", [7_900, 262_144, 1_000_000, 5_000_000])
def test_a_large_result_is_the_result(size: int) -> None:
    assert len(ended("gives", {"size": size}, "large").result) == size


@pytest.mark.parametrize("size", [100, 100_000, 3_000_000])
def test_a_large_state_goes_along_with_an_exception(size: int) -> None:
    got = ended("handled", {"size": size}, "large", "refuse")
    assert got.status == "done", got.error
    assert len(got.result) == size


@pytest.mark.parametrize("branches", [2, 40, 100])
def test_the_values_of_branches_are_carried_together(branches: int) -> None:
    assert ended("joined", {"n": branches}, "large").result == 100_000 * branches


@pytest.mark.parametrize("branches", [19, 20, 21, pytest.param(200, marks=pytest.mark.slow)])
def test_branches_that_wait_are_all_under_way(branches: int) -> None:
    assert ended("wide", {"n": branches}).result == branches


@pytest.mark.parametrize("steps", [20, 21, 1_000, pytest.param(3_000, marks=pytest.mark.slow)])
def test_a_gather_has_any_number_of_steps(steps: int) -> None:
    got = ended("many", {"n": steps}, "count")
    assert got.result == steps, got.error


def test_branches_begin_with_what_is_large() -> None:
    assert ended("shared", {"n": 100}, "large", "count").result == [100_001] * 100
