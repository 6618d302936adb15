"""Child flows are runs of their own: the trace is the reference's, on the emulated engine."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from perdure.testing import after, run
from perdure.trace import compare

FLOWS = Path(__file__).parent / "family.py"


def steps() -> dict[str, Callable[[str], object]]:
    """`fragile` fails twice, everything else takes ten seconds and gives a number."""
    seen: Counter[str] = Counter()

    def work(name: str) -> object:
        seen[name] += 1
        if name == "fragile" and seen[name] < 3:
            return after("10s", OSError("busy"))
        return after("10s", len(name))

    return {"work": work, "undo": lambda name: after("5s", None)}


PLAIN: dict[str, dict[str, object]] = {
    "main": {"n": 3},
    "unhandled": {"n": 3},
    "factorial": {"n": 4},
    "tail": {"n": 3},
    "together": {"n": 3},
    "retried": {"n": 1},
    "gives_up": {"n": 1},
    "by_name": {"names": ["half", "refusing", "half"]},
}


def used_steps(flow: str) -> dict[str, Callable[[str], object]]:
    unused = {"factorial": ("work", "undo"), "gives_up": ("work", "undo")}
    out = unused.get(flow, () if flow.startswith("waits_for_guarded") else ("undo",))
    return {name: body for name, body in steps().items() if name not in out}


@pytest.mark.parametrize("flow", PLAIN)
def test_a_child_does_what_it_does_in_the_reference(flow: str) -> None:
    expected, got = (
        run(f"{FLOWS}:{flow}", PLAIN[flow], target=target, steps=used_steps(flow))
        for target in ("reference", "aws")
    )
    assert compare(expected.whole_trace, got.whole_trace) == []
    assert [e.attempts for e in got.trace if e.kind == "flow"] == [
        e.attempts for e in expected.trace if e.kind == "flow"
    ]


CANCELLED = {
    "waits_for_guarded": "work undo",
    "waits_for_bare": "work",
    "waits_for_both": "work undo",
    "waits_for_flaky": "work",
}


@pytest.mark.parametrize("when", ["5s", "1m", "75s", "85s", "1h", "1d"])
@pytest.mark.parametrize("flow", CANCELLED)
def test_a_cancelled_run_cancels_its_children_and_waits_for_them(flow: str, when: str) -> None:
    expected, got = (
        run(
            f"{FLOWS}:{flow}",
            {"n": 1},
            target=target,
            steps={name: steps()[name] for name in CANCELLED[flow].split()},
            cancel=when,
        )
        for target in ("reference", "aws")
    )
    assert compare(expected.whole_trace, got.whole_trace) == []


OVERTAKEN = {
    "races": "work undo",
    "races_time": "work undo",
    "keeps_events": "work",
    "limited": "work undo",
    "in_time": "work",
    "limited_branches": "work undo",
}


@pytest.mark.parametrize("flow", OVERTAKEN)
def test_what_a_race_or_a_deadline_overtakes_cleans_up_first(flow: str) -> None:
    expected, got = (
        run(
            f"{FLOWS}:{flow}",
            {"n": 1},
            target=target,
            steps={name: steps()[name] for name in OVERTAKEN[flow].split()},
            events=[("3h", "go", 5)] if flow == "keeps_events" else [],
        )
        for target in ("reference", "aws")
    )
    assert compare(expected.whole_trace, got.whole_trace) == []
    assert got.status == "done"


def test_children_are_kept_in_dynamodb() -> None:
    expected, got = (
        run(f"{FLOWS}:races", {"n": 1}, target=target, engine=engine, steps=steps())
        for target, engine in (("reference", None), ("aws", "moto+dynamodb"))
    )
    assert compare(expected.whole_trace, got.whole_trace) == []
