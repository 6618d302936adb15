"""Child flows are orchestrations of their own; cancels come through: the reference's traces."""

from pathlib import Path

import pytest

from perdure.testing import run
from perdure.trace import compare
from tests.aws.test_cancel import BODIES, MOMENTS, STEPS
from tests.aws.test_family import CANCELLED, OVERTAKEN, PLAIN, steps, used_steps
from tests.azure.engines import ENGINES

pytest.importorskip("azure.durable_functions", reason="version 2 needs Python 3.13")

FLOWS = Path(__file__).parents[1] / "aws"


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("flow", PLAIN)
def test_a_child_does_what_it_does_in_the_reference(flow: str, seed: int, engine: str) -> None:
    expected, got = (
        run(
            f"{FLOWS}/family.py:{flow}",
            PLAIN[flow],
            target=target,
            engine=chosen,
            steps=used_steps(flow),
            seed=seed,
        )
        for target, chosen in (("reference", None), ("azure", engine))
    )
    assert compare(expected.whole_trace, got.whole_trace) == []
    assert [e.attempts for e in got.trace if e.kind == "flow"] == [
        e.attempts for e in expected.trace if e.kind == "flow"
    ]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("when", MOMENTS)
@pytest.mark.parametrize("flow", STEPS)
def test_a_cancel_at_any_moment_is_as_in_the_reference(flow: str, when: str, engine: str) -> None:
    steps = {name: BODIES[name] for name in STEPS[flow].split()}
    expected, got = (
        run(
            f"{FLOWS}/cancelling.py:{flow}",
            {"x": "x"},
            target=target,
            engine=chosen,
            steps=steps,
            cancel=when,
        )
        for target, chosen in (("reference", None), ("azure", engine))
    )
    assert compare(expected.whole_trace, got.whole_trace) == []


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("when", ["5s", "1m", "75s", "85s", "1h", "1d"])
@pytest.mark.parametrize("flow", CANCELLED)
def test_a_cancelled_run_cancels_its_children_and_waits_for_them(
    flow: str, when: str, engine: str
) -> None:
    expected, got = (
        run(
            f"{FLOWS}/family.py:{flow}",
            {"n": 1},
            target=target,
            engine=chosen,
            steps={name: steps()[name] for name in CANCELLED[flow].split()},
            cancel=when,
        )
        for target, chosen in (("reference", None), ("azure", engine))
    )
    assert compare(expected.whole_trace, got.whole_trace) == []


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("flow", OVERTAKEN)
def test_what_a_race_or_a_deadline_overtakes_cleans_up_first(flow: str, engine: str) -> None:
    expected, got = (
        run(
            f"{FLOWS}/family.py:{flow}",
            {"n": 1},
            target=target,
            engine=chosen,
            steps={name: steps()[name] for name in OVERTAKEN[flow].split()},
            events=[("3h", "go", 5)] if flow == "keeps_events" else [],
        )
        for target, chosen in (("reference", None), ("azure", engine))
    )
    assert compare(expected.whole_trace, got.whole_trace) == []
    assert got.status == "done"
