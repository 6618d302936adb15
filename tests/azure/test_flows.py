"""The engine under test against the reference, for what the corpus has little of."""

import gc
import sys
from collections.abc import Sequence
from typing import Any

import pytest

from perdure.testing import Result, run
from perdure.trace import compare
from tests.azure.engines import ENGINES
from tests.azure.scripts import FLOWS, NAMES, steps

pytest.importorskip("azure.durable_functions", reason="version 2 needs Python 3.13")


def both(
    flow: str, arguments: dict[str, object] | None = None, engine: str = "memory", **script: Any
) -> Result:
    expected = run(f"{FLOWS}:{flow}", arguments, **script)
    got = run(f"{FLOWS}:{flow}", arguments, target="azure", engine=engine, **script)
    assert compare(expected.whole_trace, got.whole_trace) == []
    assert [record.text for record in got.logs] == [record.text for record in expected.logs]
    return got


@pytest.mark.parametrize("engine", ENGINES)
def test_every_kind_of_node_runs_as_in_the_reference(engine: str) -> None:
    arguments = {"names": NAMES}
    expected = run(f"{FLOWS}:everything", arguments, steps=steps())
    got = run(f"{FLOWS}:everything", arguments, steps=steps(), target="azure", engine=engine)
    assert compare(expected.whole_trace, got.whole_trace) == []
    assert got.status == "done"
    assert "late" in got.result
    assert "counted" in got.result


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("cancel", ["30m", "90m", None])
def test_a_cancelled_run_cleans_up_with_operations(cancel: str | None, engine: str) -> None:
    events = [("20m", "p", "x")]
    script = {"unscripted": "run", "cancel": cancel, "events": events}
    result = both("unwilling", {"names": NAMES}, engine, **script)
    assert result.status == ("failed" if cancel is None else "cancelled") or cancel == "90m"


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "events",
    [
        [("1s", "b", "early"), ("2s", "a", "first"), ("3s", "b", "again"), ("30s", "c", "late")],
        [("10s", "a", "tie"), ("10s", "b", "tie"), ("15s", "c", "deadline"), ("20s", "c", "next")],
        [("11s", "b", "one"), ("12s", "c", "two"), ("12s", "c", "three"), ("13s", "b", "four")],
        [("11s", "b", "one"), ("40s", "c", "two")],
    ],
)
def test_events_are_taken_in_the_order_they_came(events: Sequence[object], engine: str) -> None:
    both("inbox", None, engine, events=events)


def test_bodies_of_steps_run_where_they_are_not_scripted() -> None:
    result = run(f"{FLOWS}:child", {"names": NAMES}, target="azure", unscripted="run")
    assert result.result == ["p!", "q!", "r!"]


def test_what_does_not_fit_is_refused_before_anything_runs() -> None:
    result = run(f"{FLOWS}:child", {"names": 5}, target="azure")
    assert result.status == "failed"
    assert result.trace == ()


@pytest.mark.parametrize("engine", ENGINES)
def test_an_episode_that_is_over_ends_in_silence(
    engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", noise.append)
    both("unwilling", {"names": NAMES}, engine, unscripted="run", events=[("1m", "p", "x")])
    gc.collect()
    assert noise == []


def test_a_statement_that_the_ir_keeps_whole_runs_all_the_same() -> None:
    result = both("kept_whole", {"name": "x"}, unscripted="run")
    assert result.result == ["x!", "late True"]
