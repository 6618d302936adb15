"""The known wrong answers of hand-written orchestrators are right ones here, in any order."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from perdure.testing import Result, after, run
from perdure.testing.request import START
from perdure.trace import compare
from tests.azure.engines import ENGINES

pytest.importorskip("azure.durable_functions", reason="version 2 needs Python 3.13")

FLOWS = Path(__file__).parent / "upstream.py"


def steps(*names: str) -> dict[str, Any]:
    seen: Counter[str] = Counter()

    def flaky(name: str) -> object:
        seen[name] += 1
        if seen[name] < 3:
            raise OSError(f"busy {seen[name]}")
        return after("3s" if name == "b" else "2s", name)

    def bad(name: str) -> str:
        raise ValueError(name)

    def plain(name: str) -> str:
        return name

    every = {"flaky": flaky, "bad": bad, "plain": plain}
    return {name: every[name] for name in names}


CASES: dict[str, tuple[tuple[str, ...], list[Any], Any]] = {
    "race_603": (("flaky", "plain"), [], ["a", "a", "one", "two"]),
    "failing_and_retrying": (("bad", "flaky", "plain"), [], ["one", "two"]),
    "early_507": ((), [(f"{n}s", "go", n) for n in (1, 2, 3)], [1, 2, 3]),
    "nothing_513": ((), [], []),
    "again_after_timeout": ((), [("2h", "go", "late")], "late"),
    "loser_354": (("plain",), [], "done"),
    "typed_496": (("bad",), [], "caught ('x',)"),
    "years": ((), [("1201d", "go", "patient")], "patient"),
}


def both(flow: str, seed: int, engine: str, **script: Any) -> Result:
    names, events, _ = CASES[flow]
    expected = run(f"{FLOWS}:{flow}", steps=steps(*names), events=events, **script)
    got = run(
        f"{FLOWS}:{flow}",
        target="azure",
        engine=engine,
        steps=steps(*names),
        events=events,
        seed=seed,
        **script,
    )
    assert compare(expected.whole_trace, got.whole_trace) == []
    return got


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 20))]
)
@pytest.mark.parametrize("flow", CASES)
def test_what_goes_wrong_elsewhere_goes_right(flow: str, seed: int, engine: str) -> None:
    got = both(flow, seed, engine)
    assert (got.status, got.result) == ("done", CASES[flow][2])


def test_a_run_does_not_wait_for_the_timers_that_lost() -> None:
    history: tuple[Any, ...] = both("loser_354", 0, "memory").history
    fired = [event.timerFired.fireAt.seconds for event in history if event.HasField("timerFired")]
    assert all(moment < START + 86_400 for moment in fired)
    assert history[-1].HasField("executionCompleted")
