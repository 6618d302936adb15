"""Waits of centuries: virtual time jumps, and what is too long is refused alike everywhere."""

import sys
from pathlib import Path

import pytest

from perdure.testing import run

FLOW = """
from datetime import datetime
from perdure import event, flow, sleep

@flow
async def wait(d: str | float) -> str:
    try:
        return await event("go", str, timeout=d)
    except TimeoutError:
        return "late"

@flow
async def rest(d: str | float) -> str:
    await sleep(d)
    return "rested"

@flow
async def forever() -> str:
    await sleep(until=datetime.max)
    return "rested"
"""
JUMPING = [
    "reference",
    "local",
    pytest.param(
        "azure", marks=pytest.mark.skipif(sys.version_info < (3, 13), reason="SDK 2 needs 3.13")
    ),
]


@pytest.fixture
def app(tmp_path: Path) -> str:
    (tmp_path / "app.py").write_text(FLOW)
    return f"{tmp_path}/app.py"


@pytest.mark.parametrize("target", JUMPING)
def test_centuries_pass_at_once(app: str, target: str) -> None:
    for duration in ("3650d", "36500d", 1e9, 1e10, "365000d"):
        assert run(f"{app}:wait", {"d": duration}, target=target).result == "late"
        assert run(f"{app}:rest", {"d": duration}, target=target).result == "rested"
    assert run(f"{app}:forever", {}, target=target).result == "rested"


@pytest.mark.parametrize("target", [*JUMPING, "aws"])
def test_a_duration_beyond_all_calendars_is_refused_where_it_is_used(app: str, target: str) -> None:
    for flow in ("wait", "rest"):
        for duration in (1e12, 1e300, "365001d"):
            ran = run(f"{app}:{flow}", {"d": duration}, target=target)
            assert repr(ran.error) == repr(
                ValueError(f"no duration is longer than 365000 days: {duration!r}")
            )


@pytest.mark.parametrize(("flow", "what"), [("wait", "a wait"), ("rest", "a sleep")])
def test_an_execution_cannot_wait_past_its_year(app: str, flow: str, what: str) -> None:
    ran = run(f"{app}:{flow}", {"d": "400d"}, target="aws")
    assert type(ran.error).__name__ == "LimitExceeded"
    line = 8 if flow == "wait" else 14
    assert str(ran.error).startswith(f"execution_seconds: {what} of 34560000 s")
    assert str(ran.error).endswith(f"(app.py:{line})")
