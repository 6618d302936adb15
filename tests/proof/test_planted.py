"""Faults planted in the compiler are found by few generated programs."""

import pytest

from tests.proof.planted import PLANTED, WITHIN, hunt

SAMPLE = {"no finally": 10, "a finally cut short": 15}
"""Faults of every run of the tests, and within how many programs they are found."""
AT_LEAST = 30


def test_there_are_enough_faults() -> None:
    assert len(PLANTED) >= AT_LEAST


@pytest.mark.parametrize("name", SAMPLE)
def test_a_planted_fault_is_found(name: str) -> None:
    assert hunt(name, within=SAMPLE[name]) is not None


@pytest.mark.slow
@pytest.mark.parametrize("name", PLANTED)
def test_every_planted_fault_is_found(name: str) -> None:
    assert hunt(name, within=WITHIN) is not None
