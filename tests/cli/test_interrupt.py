"""Ctrl-C, at any moment: the run can be resumed, and it is said how."""

import signal
import time
from pathlib import Path

import pytest

from tests.local.project import command, popen, write_project

FLOW = """
import asyncio
import time
from pathlib import Path
from perdure import flow, step

@step
async def blocks() -> str:
    Path("begun").touch()
    time.sleep(0 if Path("quick").exists() else 2)
    return "blocked"

@step
async def naps() -> str:
    Path("begun").touch()
    await asyncio.sleep(0 if Path("quick").exists() else 60)
    return "slept"

@step
def works(n: int) -> int:
    time.sleep(0.02)
    return n

@flow
async def slow() -> str:
    return await blocks()

@flow
async def patient() -> str:
    return await naps()

@flow
async def many() -> int:
    total = 0
    for n in range(20):
        total += await works(n)
    return total
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_project(tmp_path, app=FLOW)


def _wait_for(path: Path) -> None:
    for _ in range(400):
        if path.exists():
            return
        time.sleep(0.05)
    raise AssertionError(path)


@pytest.mark.parametrize("wait", [0.0, 0.05, 0.1, 0.2, 0.4, 0.7])
def test_an_interrupt_leaves_a_run_that_ends_when_resumed(wait: float, root: Path) -> None:
    process = popen(root, "run", "app.py:many", "--id", "r")
    assert process.stderr is not None
    assert process.stderr.readline() == "run r\n"
    time.sleep(wait)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert "Traceback" not in err
    if process.returncode == 130:
        assert err.startswith("run r is interrupted; go on with:\n")
        assert command(root, "resume", "r") == "190\n"
    else:
        # The run was over; the interrupt may still find an interpreter that shuts down.
        assert process.returncode in (0, -signal.SIGINT)
        assert out == "190\n"


def test_an_interrupt_before_the_run_leaves_nothing(root: Path) -> None:
    process = popen(root, "run", "app.py:many", "--id", "r")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    # 1: Python itself was still starting (`site` says so and leaves).
    assert process.returncode in (1, 130, -signal.SIGINT)
    assert process.returncode != 1 or "run r\n" not in err
    assert "interrupted; go on" not in err or "run r\n" in err


def test_a_step_that_keeps_the_loop_ends_first_or_at_the_second_interrupt(root: Path) -> None:
    process = popen(root, "run", "app.py:slow", "--id", "r")
    _wait_for(root / "begun")
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=1.5)
    assert process.returncode == 130
    assert "stopped at once" in err
    assert "resume r" in err
    (root / "quick").touch()
    assert command(root, "resume", "r") == '"blocked"\n'


def test_an_interrupt_while_the_command_loads_leaves_without_a_traceback(root: Path) -> None:
    # What is loaded first of all that is not perdure's own.
    loading = "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(30)\n"
    (root / "click.py").write_text(loading)
    process = popen(root, "runs")
    assert process.communicate(timeout=20) == ("", "")
    assert process.returncode == 130


def test_a_terminal_that_is_closed_leaves_a_run_that_is_told_how_to_resume(root: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under `nohup` nobody hears it
    try:
        process = popen(root, "run", "app.py:patient", "--id", "r")
    finally:
        signal.signal(signal.SIGHUP, before)
    _wait_for(root / "begun")
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGHUP)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "stopped at once" not in err, "nobody asked twice"
    assert "resume r" in err
    (root / "quick").touch()
    assert command(root, "resume", "r") == '"slept"\n'
