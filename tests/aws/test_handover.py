"""A run that goes on in another execution is the same run: equal traces, however often it does."""

from pathlib import Path

import pytest

from perdure.sites import handover
from perdure.testing import after, run
from perdure.trace import compare
from tests.aws.test_limits import count, ended
from tests.conformance.engines import CASES, ROOT, outcome, runs_on

HERE = Path(__file__).parent
LOOPS = [name for name, case in CASES.items() if "loop" in case.kinds and not case.cancel]


def slowly(n: int) -> object:
    return after("10s", 1)


@pytest.mark.parametrize("name", LOOPS)
def test_every_loop_hands_over_at_every_turn(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = CASES[name]
    if not runs_on(case, "aws/moto"):
        pytest.skip("no engine for it")
    monkeypatch.setattr(handover, "EVENTS", 25)
    got = run(
        str(ROOT / case.flow),
        dict(case.arguments),
        target="aws",
        steps=dict(case.steps),
        unscripted=case.unscripted,
        events=list(case.events),
    )
    assert compare(outcome(name, "reference").whole_trace, got.whole_trace) == []


@pytest.mark.parametrize("when", ["5s", "90m", "30h"])
@pytest.mark.parametrize("flow", ["naps", "naps_guarded"])
def test_a_cancel_reaches_the_execution_that_runs(
    flow: str, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover, "EVENTS", 100)
    expected, got = (
        run(
            f"{HERE / 'limits.py'}:{flow}",
            {"times": 60},
            target=target,
            steps={"count": slowly},
            cancel=when,
        )
        for target in ("reference", "aws")
    )
    assert expected.status == "cancelled"
    assert compare(expected.whole_trace, got.whole_trace) == []


def test_a_loop_runs_past_the_history_limit() -> None:
    got = ended("loop", {"times": 5_000}, "count")
    assert got.result == 5_000
    assert len(got.history) < 25_000


@pytest.mark.slow
def test_a_loop_of_thirty_thousand_turns() -> None:
    assert ended("loop", {"times": 30_000}, "count").result == 30_000


def test_a_failure_after_a_hand_over_is_the_run_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handover, "EVENTS", 100)

    def refuse(n: int) -> int:
        if n == 50:
            raise KeyError(n)
        return count(n)

    got = run(f"{HERE / 'limits.py'}:loop", {"times": 60}, target="aws", steps={"count": refuse})
    assert isinstance(got.error, KeyError)
    assert got.error.args == (50,)
