"""What one run says to another has the reference's trace; starts are idempotent."""

from pathlib import Path

import pytest

from perdure.testing import run
from perdure.trace import compare

FLOWS = Path(__file__).parent / "neighbours.py"


def work(name: str) -> int:
    return len(name)


@pytest.mark.parametrize(
    ("flow", "cancel"),
    [
        ("converses", None),
        ("unanswered", None),
        ("unknown", None),
        ("impatient", None),
        ("asks_for_ever", None),
        ("asks_for_ever", "1h"),
        ("impatient", "30s"),
    ],
)
def test_a_run_speaks_to_another_as_in_the_reference(flow: str, cancel: str | None) -> None:
    steps = {"work": work} if flow == "impatient" and cancel is None else {}
    expected, got = (
        run(f"{FLOWS}:{flow}", {"n": 3}, target=target, steps=steps, cancel=cancel)
        for target in ("reference", "aws")
    )
    assert compare(expected.whole_trace, got.whole_trace) == []


def test_a_start_is_idempotent_and_another_input_is_a_conflict() -> None:
    expected, got = (
        run(f"{FLOWS}:again", {"n": 3}, target=target, steps={}) for target in ("local", "aws")
    )
    assert got.result == ["one", "one", "run 'one' was started with another input"]
    assert compare(expected.whole_trace, got.whole_trace) == []
