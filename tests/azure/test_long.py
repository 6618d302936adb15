"""A run that lives long hands over at the head of a loop; nothing of it is lost."""

from pathlib import Path
from typing import Any

import pytest

from perdure.testing import Result, run
from perdure.trace import compare
from tests.azure.engines import ENGINES

pytest.importorskip("azure.durable_functions", reason="version 2 needs Python 3.13")

FLOWS = Path(__file__).parent / "long.py"


def both(flow: str, n: int, engine: str = "memory", **script: Any) -> Result:
    expected = run(f"{FLOWS}:{flow}", {"n": n}, unscripted="run", **script)
    got = run(
        f"{FLOWS}:{flow}", {"n": n}, unscripted="run", target="azure", engine=engine, **script
    )
    assert compare(expected.whole_trace, got.whole_trace) == []
    assert [record.text for record in got.logs] == [record.text for record in expected.logs]
    return got


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("flow", ["counts", "ranges"])
def test_a_long_loop_goes_on_under_a_short_history(flow: str, engine: str) -> None:
    got = both(flow, 150, engine)
    assert got.status == "done"
    assert len(got.history) < 150


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("every", [0, 10])
@pytest.mark.parametrize("cancel", [None, "5m"])
def test_events_come_through_a_hand_over(every: int, cancel: str | None, engine: str) -> None:
    events = [(f"{1 + number * every}s", "go", number) for number in range(70)]
    got = both("talks", 60, engine, events=events, cancel=cancel)
    assert len(got.history) < 120


@pytest.mark.slow
def test_a_loop_of_thirty_thousand_turns_comes_to_its_end() -> None:
    got = both("counts", 30_000)
    assert got.result == 30_000
