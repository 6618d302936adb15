"""The model of the classic host has the faults of the real one, where they are asked for."""

import json
from collections import Counter
from collections.abc import Callable, Generator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from perdure_azure.engine.classic import Classic, StalledError
from perdure_azure.engine.classic_host import NonDeterministicError, Replay
from perdure_azure.engine.files import imported_from
from perdure_azure.engine.sdk1 import sdk1
from tests.azure.engines import needs_sdk1

SOURCE = Path(__file__).with_name("by_hand.py").read_text("utf-8")

type Runs = Callable[..., str]


class Observer:
    """Looks away."""

    def ran(self, instance: str, *, renewed: bool) -> None:
        """An episode."""

    def took(self) -> float:
        """No time."""
        return 0.0


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Runs]:
    """Runs an orchestrator that was written by hand; what it comes to."""
    needs_sdk1()
    monkeypatch.setattr(Classic, "strict", False)

    def run(name: str, seed: int, events: int = 0) -> str:
        folder = tmp_path / f"{name}{seed}"
        with sdk1(), imported_from({"by_hand.py": SOURCE}, folder, ["by_hand"]) as modules:
            machine = Classic(modules["by_hand"].app, 1767225600.0, seed, Observer())
            machine.start_instance(name, "run", "null")
            for number in range(events):
                machine.raise_event("run", "go", str(number))
            while not machine.has_ended("run") and (machine.work() or machine.advance()):
                pass
            over = machine.has_ended("run")
            ended = machine.ended("run") if over else None
            machine.close()
        if ended is None:
            return "hangs"
        return "fails" if ended.problem else str(json.loads(ended.output or "null"))

    yield run
    assert import_module("azure.durable_functions").__file__ is not None


def test_ids_go_apart_after_a_race_of_retried_steps(runs: Runs) -> None:
    counts = Counter(runs("race_603", seed) for seed in range(1, 41))
    assert 0 < counts["['one', 'two', 'three']"] < 40, counts


def test_a_failing_and_a_retrying_step_end_in_wrong_results(runs: Runs) -> None:
    counts = Counter(runs("failing_and_retrying", seed) for seed in range(1, 21))
    assert counts["['one', 'two']"] == 0, counts


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_early_events_are_given_to_every_wait(seed: int, runs: Runs) -> None:
    assert runs("early_507", seed, events=3) != "[0, 1, 2]"


@pytest.mark.parametrize("seed", range(5))
def test_what_goes_right_there_goes_right_here(seed: int, runs: Runs) -> None:
    assert runs("sequential", seed) == "['busy', 'two']"


def test_a_host_that_waits_is_found_out(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Classic, "strict", True)
    with pytest.raises(StalledError, match="waits"):
        runs("sequential", 0)


def test_a_history_that_has_something_else_is_found_out() -> None:
    history: list[dict[str, Any]] = [
        {"EventType": 0},
        {"EventType": 4, "EventId": 0, "Name": "plain"},
    ]
    actions: list[dict[str, Any]] = [{"actionType": 0, "functionName": "other"}]
    with pytest.raises(NonDeterministicError):
        Replay(history, actions)
