"""Executions that Workflows itself ends: their runs end, by the name of what ended them."""

import base64
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from perdure.codec import Json, encode_error
from perdure.errors import LimitExceeded, StepLost
from perdure_gcp import generations
from perdure_gcp.ended import error_of, execution_of, run_of
from tests.gcp.test_handover import ran


def entry(state: str, **more: Json) -> dict[str, Json]:
    """A message as the sink's subscription pushes it."""
    said: dict[str, Json] = {
        "logName": "projects/demo/logs/workflows.googleapis.com%2Fexecutions_system",
        "resource": {
            "type": "workflows.googleapis.com/Workflow",
            "labels": {"location": "us-central1", "workflow_id": "saga"},
        },
        "labels": {"workflows.googleapis.com/execution_id": "0001"},
        "jsonPayload": {"state": state},
        **more,
    }
    return {"data": base64.b64encode(json.dumps(said).encode()).decode(), "messageId": "1"}


@pytest.mark.parametrize(("state", "found"), [
    ("FAILED", ("saga", "0001")),
    ("CANCELLED", ("saga", "0001")),
    ("SUCCEEDED", None),
    ("ACTIVE", None),
])  # fmt: skip
def test_a_log_entry_names_the_execution(state: str, found: tuple[str, str] | None) -> None:
    assert execution_of(entry(state)) == found


def test_a_log_entry_of_another_kind_is_none_of_ours() -> None:
    assert execution_of(entry("FAILED", jsonPayload=None)) is None


def failed(payload: Json, **more: Json) -> Mapping[str, Json]:
    return {"state": "FAILED", "error": {"payload": json.dumps(payload)}, **more}


YEAR: Mapping[str, Json] = {
    "startTime": "2026-01-01T00:00:00.5Z",
    "endTime": "2027-01-01T00:00:00.5Z",
}


@pytest.mark.parametrize(("execution", "kind", "text"), [
    (failed({"tags": ["ResourceLimitError"], "message": "steps"}), LimitExceeded, "steps"),
    (failed({"tags": ["MemoryLimitExceededError", "ResourceLimitError"], "message": "big"}),
     LimitExceeded, "memory_bytes: big"),
    (failed({"tags": ["ConnectionError"], "message": "gone"}), StepLost, "gone"),
    (failed({"tags": ["HttpError"], "message": "m", "code": 503}), StepLost, "five requests"),
    (failed({"tags": ["TimeoutError"]}, **YEAR), LimitExceeded, "execution_seconds"),
    (failed({"tags": ["KeyError"], "message": "m"}), RuntimeError, "KeyError"),
    (failed("text"), RuntimeError, "text"),
    (failed({"tags": ["perdure"], "error": json.dumps(encode_error(KeyError(1)))}), KeyError, "1"),
])  # fmt: skip
def test_how_an_execution_ended(
    execution: Mapping[str, Json], kind: type[BaseException], text: str
) -> None:
    error = error_of(execution)
    assert type(error) is kind
    assert text in str(error)


def test_the_run_of_an_execution_is_in_its_argument() -> None:
    state = json.dumps({"run": {"id": "order-1", "seed": "0"}, "input": {}})
    assert run_of({"state": state}) == "order-1"
    assert run_of({"branch": "race_a", "state": state, "fork": "race", "index": 0}) == "order-1"


def _two_thousand(_name: str) -> int:
    return 2_000


def test_a_branch_that_passes_a_limit_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("perdure_gcp.workflows.execution.value_of", _two_thousand)
    source = """
async def long(n: int) -> int:
    for k in range(n):
        await count(k)
    return n
@flow
async def main() -> object:
    try:
        return await race(a=long(5_000), b=sleep("9d"))
    except Exception:
        return "no handler of the flow sees it"
"""
    got = ran(tmp_path, source)
    assert isinstance(got.error, LimitExceeded)
    assert "steps" in str(got.error)


def test_a_loop_without_a_head_cannot_be_but_a_wait_can_be_too_long(tmp_path: Path) -> None:
    source = """
@flow
async def main(days: int) -> int:
    await count(1)
    await sleep(days * 86_400)
    return days
"""
    assert ran(tmp_path, source, arguments={"days": 364}).result == 364
    error = ran(tmp_path, source, arguments={"days": 366}).error
    assert isinstance(error, LimitExceeded)
    assert "execution_seconds" in str(error)


def test_a_wait_for_ever_waits(tmp_path: Path) -> None:
    source = """
@flow
async def main() -> object:
    await count(1)
    return await event("never")
"""
    assert ran(tmp_path, source).status == "waiting"


def test_a_limit_after_a_hand_over_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("perdure_gcp.workflows.execution.value_of", _two_thousand)
    monkeypatch.setattr(generations, "STEPS", 1_000)
    source = """
async def long(n: int) -> int:
    for k in range(n):
        await count(k)
    return n
@flow
async def main() -> int:
    for n in range(300):
        await count(n)
    return sum(await gather(long(500), long(500)))
"""
    error = ran(tmp_path, source).error
    assert isinstance(error, LimitExceeded)
