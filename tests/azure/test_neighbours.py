"""What one run says to another, and awaits of another, has the reference's trace."""

from pathlib import Path

import pytest

from perdure.testing import run
from perdure.trace import compare
from tests.azure.engines import ENGINES

pytest.importorskip("azure.durable_functions", reason="version 2 needs Python 3.13")

FLOWS = Path(__file__).parents[1] / "aws/neighbours.py"


def work(name: str) -> int:
    return len(name)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("seed", [0, 1, 2])
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
def test_a_run_speaks_to_another_as_in_the_reference(
    flow: str, cancel: str | None, seed: int, engine: str
) -> None:
    steps = {"work": work} if flow == "impatient" and cancel is None else {}
    expected = run(f"{FLOWS}:{flow}", {"n": 3}, steps=steps, cancel=cancel)
    got = run(
        f"{FLOWS}:{flow}",
        {"n": 3},
        target="azure",
        engine=engine,
        steps=steps,
        cancel=cancel,
        seed=seed,
    )
    assert compare(expected.whole_trace, got.whole_trace) == []
    assert got.status == expected.status


@pytest.mark.parametrize("engine", ENGINES)
def test_a_start_is_idempotent_and_another_input_is_a_conflict(engine: str) -> None:
    expected, got = (
        run(f"{FLOWS}:again", {"n": 3}, target=target, engine=chosen, steps={})
        for target, chosen in (("local", None), ("azure", engine))
    )
    assert got.result == ["one", "one", "run 'one' was started with another input"]
    assert compare(expected.whole_trace, got.whole_trace) == []
