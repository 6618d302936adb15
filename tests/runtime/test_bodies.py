"""Bodies of steps in tests: in real time, under a real timeout, the same on every target."""

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from perdure import step
from perdure.codec import decode_error
from perdure.operations import ThisStep
from perdure.runtime.bodies import Attempted, timed_attempt
from perdure.runtime.engine import Completed, Failed
from perdure.testing import run

TARGETS = ("reference", "local", "aws", "azure")

FLOW = """
import asyncio
import time
from perdure import flow, sleep, step

@step
async def nap(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "rested"

@step(timeout=0.02)
async def oversleeps() -> None:
    await asyncio.sleep(60)

@flow
async def naps() -> list[object]:
    before = time.time()
    rested = await nap(0.02)
    try:
        await oversleeps()
    except TimeoutError as error:
        late = str(error)
    return [rested, late, time.time() - before]
"""


@pytest.mark.parametrize("target", TARGETS)
def test_a_body_sleeps_in_real_time_while_the_clock_of_the_test_stands_still(
    target: str, tmp_path: Path
) -> None:
    (tmp_path / "naps.py").write_text(FLOW)
    before = time.monotonic()
    r = run(f"{tmp_path / 'naps.py'}:naps", target=target, unscripted="run")
    assert (r.status, r.result) == ("done", ["rested", "", 0.0])
    assert time.monotonic() - before < 30


@step
async def swallows() -> int:
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        return 1
    return 2


@step
def blocks() -> int:
    time.sleep(0.05)
    return 1


@step
async def gives_up() -> int:
    raise asyncio.CancelledError("own")


@step
async def quick() -> int:
    return 3


def attempted(of: object, timeout: float) -> Attempted:
    this = ThisStep("key", 1, datetime.now(UTC), "run")
    return asyncio.run(timed_attempt(of, {}, this, timeout))  # type: ignore[arg-type]  # pyright: ignore


@pytest.mark.parametrize("late", [swallows, blocks])
def test_a_late_body_is_late_whatever_it_returns(late: object) -> None:
    outcome = attempted(late, 0.02).outcome
    assert isinstance(outcome, Failed)
    assert repr(decode_error(outcome.error)) == "TimeoutError()"


def test_a_cancellation_that_nobody_asked_for_is_the_error_of_the_attempt() -> None:
    outcome = attempted(gives_up, 5).outcome
    assert isinstance(outcome, Failed)
    assert repr(decode_error(outcome.error)) == "CancelledError('own')"
    assert attempted(quick, 5).outcome == Completed(3)


def test_an_attempt_that_is_cancelled_passes_that_on() -> None:
    async def cancelled() -> bool:
        this = ThisStep("key", 1, datetime.now(UTC), "run")
        work = asyncio.create_task(timed_attempt(swallows, {}, this, 60))
        await asyncio.sleep(0)
        work.cancel()
        return isinstance((await work).outcome, Completed)

    # The body swallowed it in time: its value counts, as under asyncio.
    assert asyncio.run(cancelled())


SECRETIVE = """
from perdure import flow, step
from perdure.secrets import secret

@step
async def tells() -> list[str]:
    return ["key " + secret("PERDURE_TEST_KEY").value]

@step
def fails() -> None:
    raise ValueError("bad key " + secret("PERDURE_TEST_KEY").value)

@flow
async def leaks() -> list[str]:
    said = []
    try:
        await tells()
    except TypeError as error:
        said.append(str(error))
    try:
        await fails()
    except ValueError as error:
        said.append(str(error))
    return said
"""


@pytest.mark.parametrize("target", TARGETS)
def test_a_secret_leaves_no_step(
    target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERDURE_TEST_KEY", "hunter2-hunter2")
    (tmp_path / "secretive.py").write_text(SECRETIVE)
    r = run(f"{tmp_path / 'secretive.py'}:leaks", target=target, unscripted="run")
    assert r.result == ["the result holds a secret, which never enters state", "bad key ***"]
