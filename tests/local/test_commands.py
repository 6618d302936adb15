"""The verbs on runs, from the command line: run, runs, show, send, resume, cancel."""

import json
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

from perdure.driver import FlowName
from perdure.local.program import load_program
from perdure.testing import run as run_in_virtual_time
from tests.local.project import command, popen, write_project

MINOR = sys.version_info.minor + 1
OTHER_PYTHON = f'[tool.perdure]\npython = "3.{MINOR}"\n'
FLOW = '''
import asyncio
from dataclasses import dataclass
from perdure import event, flow, gather, sleep, step


@dataclass
class Decision:
    approved: bool
    note: str = ""


@step
async def draft(title: str, count: int) -> str:
    return title * count


@step
async def undo(title: str) -> None:
    with open("undone.txt", "a") as file:
        file.write(title)


@flow
async def review(title: str, count: int = 1) -> dict[str, object]:
    """A person decides."""
    text = await draft(title, count)
    print("drafted", text)
    try:
        decision = await event("approval", Decision, timeout="3d")
        other = await event("more", int)
    except asyncio.CancelledError:
        await undo(title)
        raise
    if not decision.approved:
        raise ValueError(decision.note)
    return {"text": text, "more": other}


@flow
async def nap() -> str:
    await sleep(1)
    return "rested"
'''


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_project(tmp_path, app=FLOW)


REVIEW = ("run", "app.py:review", "--id", "r", "title=7", "count=2", "--detach")


def test_a_run_is_left_waiting_woken_and_shown(root: Path) -> None:
    out = command(root, *REVIEW, code=4)
    assert "drafted 77" in out, "a text for a parameter declared str"
    assert "perdure send r approval approved=true" in out
    assert (root / ".perdure" / ".gitignore").read_text() == "*\n"
    assert "waits for approval" in command(root, "runs")
    wake = next(line for line in out.splitlines() if line.strip().startswith("perdure send"))
    out = command(root, *wake.split()[1:], code=4)
    assert "perdure send r more --payload 1" in out
    assert "drafted" not in out, "what the flow printed is shown once"
    out = command(root, "send", "last", "more", "--payload", "5")
    assert json.loads(out) == {"text": "77", "more": 5}
    tree = command(root, "show")
    for text in ('draft(title="7", count=2) → "77"', "app.py:27", "» drafted 77", "approval"):
        assert text in tree
    data = json.loads(command(root, "show", "r", "--json"))
    assert [each["path"] for each in data["operations"]] == ["draft", "approval", "more"]
    assert data["status"] == "completed"
    assert json.loads(command(root, "runs", "--json"))[0]["run"] == "r"


def test_a_failed_run_leaves_with_1_and_says_why(root: Path) -> None:
    command(root, *REVIEW, code=4)
    command(root, "send", "r", "more", "--payload", "1", code=4)
    out = command(root, "send", "r", "approval", "approved=false", "note=too short", code=1)
    assert "ValueError: too short" in out
    assert "has ended already: failed" in command(root, "send", "r", "more", code=2)


def test_wrong_calls_are_told_with_the_nearest(root: Path) -> None:
    assert "there are no runs yet" in command(root, "runs", code=2)
    assert "`count`" in command(root, "run", "app.py:review", "title=x", 'count="y"', code=2)
    assert "`cuont`" in command(root, "run", "app.py:review", "title=x", "cuont=1", code=2)
    assert "`title`: missing" in command(root, "run", "app.py:review", code=2)
    assert "no `name=value`" in command(root, "run", "app.py:review", "title", code=2)
    command(root, *REVIEW, code=4)
    assert "the nearest is `r`" in command(root, "show", "rr", code=2)
    assert "the nearest is `approval`" in command(root, "send", "r", "aproval", code=2)
    wrong = command(root, "send", "r", "approval", "approved=3", code=2)
    assert "payload.approved" in wrong
    typo = command(root, "send", "r", "approval", "approved=true", "nte=x", code=2)
    assert "the nearest is `note`" in typo
    assert "another input" in command(root, *REVIEW[:4], "title=8", code=2)


def test_a_start_with_an_id_is_idempotent(root: Path) -> None:
    command(root, *REVIEW, code=4)
    assert "exists already" in command(root, *REVIEW, code=4)
    assert command(root, "runs").count("\n") == 1


def test_no_drive_only_stores(root: Path) -> None:
    command(root, *REVIEW, code=4)
    command(root, "send", "r", "more", "--payload", "1", "--no-drive")
    command(root, "send", "r", "approval", "approved=true", "--no-drive", "--event-id", "e")
    command(root, "send", "r", "approval", "approved=true", "--no-drive", "--event-id", "e")
    assert "completed" not in command(root, "runs")
    assert json.loads(command(root, "resume"))["more"] == 1


def test_a_live_process_takes_an_event_from_another(root: Path) -> None:
    process = popen(root, *REVIEW[:-1])
    try:
        for _ in range(200):
            time.sleep(0.05)
            if (root / ".perdure").exists() and "waits for" in command(root, "runs"):
                break
        out = command(root, "send", "r", "approval", "approved=true")
        assert "drives the run" in out
        command(root, "send", "r", "more", "--payload", "2")
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 0, err
    assert '"more": 2' in out


def test_ctrl_c_leaves_a_run_resumable(root: Path) -> None:
    process = popen(root, *REVIEW[:-1])
    for _ in range(200):
        time.sleep(0.05)
        if (root / ".perdure").exists() and "waits for" in command(root, "runs"):
            break
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "perdure resume r" in err
    command(root, "resume", "r", "--detach", code=4)


@pytest.mark.parametrize(("options", "undone"), [((), "7"), (("--now",), None)])
def test_cancel_runs_the_cleanup_unless_now(
    root: Path, options: tuple[str, ...], undone: str | None
) -> None:
    command(root, *REVIEW, code=4)
    command(root, "cancel", "r", *options)
    assert "cancelled" in command(root, "runs")
    written = root / "undone.txt"
    assert (written.read_text() if written.exists() else None) == undone
    assert "has ended already" in command(root, "cancel", "r", code=2)


def test_a_changed_file_does_not_change_a_run(root: Path) -> None:
    command(root, *REVIEW, code=4)
    command(root, "send", "r", "more", "--payload", "1", "--no-drive")
    (root / "app.py").write_text(FLOW.replace('"text": text', '"changed": text'))
    out = command(root, "send", "r", "approval", "approved=true")
    assert "`app.py` changed since the run began" in out
    assert '"text": "77"' in out


def test_a_sleep_is_resumed_when_it_is_due(root: Path) -> None:
    out = command(root, "run", "app.py:nap", "--id", "n", "--detach", code=4)
    assert "perdure resume n" in out
    time.sleep(1.2)
    began = time.monotonic()
    assert "rested" in command(root, "resume", "n")
    assert time.monotonic() - began < 10


def test_a_refused_source_leaves_with_1(root: Path) -> None:
    (root / "app.py").write_text(FLOW + "\n\n@flow\nasync def bad():\n    yield 1\n")
    assert "PDR" in command(root, "run", "app.py:bad", code=1)


def test_the_store_can_be_elsewhere(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "pyproject.toml").write_text('[tool.perdure]\nstore = "state/x.db"\n')
    command(root, *REVIEW, code=4)
    assert (root / "state" / "x.db").exists()


def test_a_project_for_another_python_is_not_started(tmp_path: Path) -> None:
    root = write_project(tmp_path, app=FLOW)
    (root / "pyproject.toml").write_text(OTHER_PYTHON)
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    for arguments in (("run", "app.py:review", "title=a"), ("run", "app.py:review", "--detach")):
        out = command(root, *arguments, code=2)
        assert f"is for Python 3.{MINOR}, this is {running}: run it with Python 3.{MINOR}" in out
        assert f'write `python = "{running}"` under `[tool.perdure]`' in out
    assert not (root / ".perdure").exists()
    started = "import asyncio; from app import review; asyncio.run(review.start('a'))"
    done = subprocess.run(
        [sys.executable, "-c", started], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert f"is for Python 3.{MINOR}" in done.stderr
    assert not (root / ".perdure").exists()
    assert run_in_virtual_time(f"{root / 'app.py'}:nap", target="local").result == "rested"


def test_the_starter_is_pinned_to_the_python_that_made_it(tmp_path: Path) -> None:
    command(tmp_path, "init", "agent")
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    settings = tomllib.loads((tmp_path / "agent" / "pyproject.toml").read_text("utf-8"))
    assert settings["tool"]["perdure"]["python"] == running


def test_a_misspelt_flow_is_a_wrong_call_and_tells_all_flows(tmp_path: Path) -> None:
    flows = "from perdure import flow\n"
    for name in ("first", "other", "settle"):
        flows += f"\n\n@flow\nasync def {name}() -> None: ...\n"
    root = write_project(tmp_path, app=flows)
    said = command(root, "run", "app.py:settel", code=2)
    assert "write `app.py:settle` or `app.py:first` or `app.py:other`" in said


def test_without_a_pin_any_python_runs_a_flow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "app.py").write_text(FLOW)
    monkeypatch.setattr("perdure.local.program._running", lambda: "3.12")
    assert load_program(FlowName(tmp_path / "app.py", "nap")).flow.name == "nap"
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    assert load_program(FlowName(tmp_path / "app.py", "nap")).flow.name == "nap"
