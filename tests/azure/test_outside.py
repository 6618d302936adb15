"""What operators raise as plain JSON reaches a run; what no message carries ends it by name."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from perdure.backend import Limit
from perdure.errors import LimitExceeded
from perdure.testing import Result, run
from perdure.trace import compare
from tests.azure.engines import ENGINES
from tests.conformance.engines import CASES, ROOT, outcome

pytest.importorskip("azure.durable_functions", reason="version 2 needs Python 3.13")

from perdure.runtime.envelope import unpack
from perdure_azure.engine.backend import VirtualBackend
from perdure_azure.engine.classic import Classic
from perdure_azure.limits import LIMITS

FLOWS = Path(__file__).parent / "outside.py"
YES, NO = {"approved": True, "by": "kim"}, {"approved": False}

SAID = "run was sent what is no message"

type Wire = Callable[[str, str], tuple[str, str]]


def under_its_name(name: str, data: str) -> tuple[str, str]:
    """As the portal raises it."""
    message = unpack(json.loads(data))
    if "event" not in message:
        return name, data
    return str(message["event"]), json.dumps(message["payload"])


def by_hand(name: str, data: str) -> tuple[str, str]:
    """As somebody writes to the run, without an envelope."""
    message = unpack(json.loads(data))
    return name, json.dumps({key: message[key] for key in message if key not in ("plain", "id")})


@pytest.fixture(params=[under_its_name, by_hand])
def wire(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What tests send travels in another form."""
    raise_event, form = VirtualBackend.raise_event, request.param

    def raised(self: VirtualBackend, instance: str, name: str, data: str) -> None:
        raise_event(self, instance, *form(name, data))

    monkeypatch.setattr(VirtualBackend, "raise_event", raised)


def both(flow: str, arguments: dict[str, object] | None = None, **script: Any) -> Result:
    expected = run(f"{FLOWS}:{flow}", arguments, unscripted="run", **script)
    got = run(f"{FLOWS}:{flow}", arguments, unscripted="run", target="azure", **script)
    assert compare(expected.whole_trace, got.whole_trace) == []
    return got


@pytest.mark.usefixtures("wire")
@pytest.mark.parametrize(
    "events",
    [
        [("1m", "approval", YES), ("2m", "approval", NO), ("3h", "second", 2), ("4h", "first", 1)],
        [("1s", "second", 2), ("1s", "first", 1), ("2s", "approval", YES), ("3s", "approval", NO)],
        [("1s", "approval", YES), ("2s", "approval", NO), ("3s", "approval", YES)],
        [("1s", "approval", YES), ("3h", "approval", NO)],
    ],
)
def test_an_event_raised_by_hand_is_taken_as_any_other(events: list[Any]) -> None:
    both("waits", events=events)


@pytest.mark.usefixtures("wire")
@pytest.mark.parametrize("every", [0, 10])
def test_none_is_lost_in_a_hand_over(every: int) -> None:
    events = [(f"{1 + number * every}s", "go", number) for number in range(70)]
    got = both("talks", {"n": 60}, events=events)
    assert got.result == list(range(60))
    assert len(got.history) < 120


@pytest.mark.usefixtures("wire")
@pytest.mark.parametrize("case_id", [case.id for case in CASES.values() if case.events])
def test_every_case_with_events_ends_the_same(case_id: str) -> None:
    case = CASES[case_id]
    got = run(
        str(ROOT / case.flow),
        dict(case.arguments),
        target="azure",
        steps=dict(case.steps),
        unscripted=case.unscripted,
        events=list(case.events),
        cancel=case.cancel,
    )
    assert compare(outcome(case_id, "reference").whole_trace, got.whole_trace) == []


def test_what_is_no_message_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    start = VirtualBackend.start_instance

    def started(self: VirtualBackend, name: str, instance: str, data: str) -> None:
        start(self, name, instance, data)
        for text in ("5", '"go"', '{"event": 3}', '{"v": 9, "data": "{}"}', "null"):
            self.raise_event(instance, "perdure.message", text)

    monkeypatch.setattr(VirtualBackend, "start_instance", started)
    with caplog.at_level(logging.WARNING, "perdure"):
        got = both("talks", {"n": 1}, events=[("1h", "go", 7)])
    assert got.result == [7]
    assert [record.getMessage() for record in caplog.records] == [
        "run was sent what is no message"
    ] * 5


def limits(flow: str, part: str, arguments: dict[str, object]) -> str:
    """The limit that ends the flow at the line with this part of it."""
    got = run(f"{FLOWS}:{flow}", arguments, unscripted="run", target="azure")
    assert isinstance(got.error, LimitExceeded), got.error
    lines = FLOWS.read_text().splitlines()
    line = next(at for at, text in enumerate(lines, 1) if part in text)
    limit, _, message = str(got.error).partition(": ")
    assert message.endswith(f"(tests/azure/outside.py:{line})"), message
    return limit


MOST = LIMITS["message_bytes"].value - 1024
"""Of a payload with its envelope."""


@pytest.mark.parametrize(
    ("flow", "part", "room"),
    [
        ("takes", "await echo(", 155),
        ("gives", "await grown(", 36),
        ("calls", "await child(", 212),
        ("returns", "sleep(1)  # returns", 56),
    ],
)
def test_a_message_just_fits_or_ends_the_run_at_its_line(flow: str, part: str, room: int) -> None:
    both(flow, {"size": MOST - room})
    assert limits(flow, part, {"size": MOST - room + 1}) == "message_bytes"


def test_a_hand_over_carries_what_a_message_does() -> None:
    both("carries", {"size": MOST - 1200, "n": 60})
    assert limits("carries", "sleep(1)  # carries", {"size": MOST, "n": 60}) == "message_bytes"


def test_a_status_just_fits_or_ends_the_run() -> None:
    most = LIMITS["custom_status_bytes"].value // 2
    both("shows", {"size": most - 62})
    assert limits("shows", "progress(", {"size": most - 61}) == "custom_status_bytes"


def test_an_episode_asks_for_so_much_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    row = LIMITS["orchestration_actions"]._replace(value=50)
    monkeypatch.setitem(cast("dict[str, Limit]", LIMITS), "orchestration_actions", row)
    both("many", {"n": 49})
    assert limits("many", "echo(index)", {"n": 50}) == "orchestration_actions"


def test_an_error_that_no_status_holds_fails_the_run_all_the_same() -> None:
    got = run(f"{FLOWS}:raises", {"size": 20_000}, target="azure")
    assert got.status == "failed"


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("data", "result", "problem"),
    [
        ('{"n": 2}', [7, 8], None),
        ('{"n": "two"}', None, "`n`: expected int"),
        ("5", None, "the input of a flow is an object"),
        ("null", None, "`n`"),
    ],
)
def test_a_run_may_be_started_by_hand(
    data: str,
    result: object,
    problem: str | None,
    engine: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    host = VirtualBackend if engine == "memory" else Classic
    start = host.start_instance

    def started(self: Any, name: str, instance: str, _: str) -> None:
        start(self, name, instance, data)

    monkeypatch.setattr(host, "start_instance", started)
    script: Any = {"target": "azure", "engine": engine, "unscripted": "run"}
    script["events"] = [("1s", "go", 7), ("2s", "go", 8)]
    if problem is None:
        assert run(f"{FLOWS}:talks", {"n": 99}, **script).result == result
    else:
        with pytest.raises(RuntimeError, match=problem):
            run(f"{FLOWS}:talks", {"n": 99}, **script)
