"""The command line: exit codes, what goes where, and how it ends when something is wrong."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from perdure.cli.main import COMMANDS, run
from perdure.diagnostics import InternalError

GOOD = """
from perdure import flow, step


@step
async def fetch(key: str) -> str: ...


@flow
async def main(key: str) -> str:
    return await fetch(key)
"""
BAD = GOOD.replace("(key)\n", "(ky)\n").replace("main", "wrong")


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PERDURE_DEBUG", raising=False)
    (tmp_path / "pyproject.toml").write_text('[tool.perdure]\nflows = ["flows"]\n')
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "good.py").write_text(GOOD)
    return tmp_path


def _run(capfd: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    code = run(args)
    said = capfd.readouterr()
    return code, said.out, said.err


def test_the_flows_of_the_project_are_checked(capfd: pytest.CaptureFixture[str]) -> None:
    assert _run(capfd, "check") == (0, "", "")


def test_files_of_the_folder_without_flows_are_passed_over(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (project / "flows" / "alias.py").write_text(
        BAD.replace("import flow", "import flow as durable").replace("@flow", "@durable")
    )
    (project / "flows" / "steps.py").write_text("from perdure import step\n\nx = 1\n")
    (project / "flows" / "other.py").write_text("not python")
    (project / "flows" / ".venv").mkdir()
    (project / "flows" / ".venv" / "x.py").write_text("import perdure; not python")
    code, _, err = _run(capfd, "check")
    assert code == 1
    assert "alias.py:11:24" in err
    assert err.endswith("1 problem found\n")


def test_two_projects_in_one_call_are_a_wrong_call(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    other = project / "other"
    other.mkdir()
    (other / "pyproject.toml").write_text("")
    (other / "flow.py").write_text(GOOD)
    code, _, err = _run(capfd, "check", "flows/good.py", "other/flow.py")
    assert code == 2
    assert "are of two projects" in err


def test_a_refused_flow_is_exit_1_with_its_place_as_seen_from_here(
    project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (project / "flows" / "bad.py").write_text(BAD)
    monkeypatch.chdir(project / "flows")
    code, out, err = _run(capfd, "check")
    assert (code, out) == (1, "")
    assert " --> bad.py:11:24\n" in err
    assert err.endswith("1 problem found\n")


@pytest.mark.parametrize("form", ["json", "sarif", "github"])
def test_what_programs_read_goes_to_standard_output(
    project: Path, form: str, capfd: pytest.CaptureFixture[str]
) -> None:
    (project / "flows" / "bad.py").write_text(BAD)
    code, out, err = _run(capfd, "check", "--output-format", form)
    assert (code, err) == (1, "")
    assert "PDR201" in out


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["chekc"], "the nearest is `check`"),
        (["check", "flows/god.py"], "the nearest is `flows/good.py`"),
        (["check", "--no-such"], "No such option"),
        (["rule", "PDR9999"], "there is no rule `PDR9999`"),
        (["compile"], "say for which target: `--target aws`"),
        (["compile", "--target", "awz"], "there is no target `awz`"),
        (["init", "."], "nothing is overwritten"),
        ([], "Usage: perdure"),
    ],
)
def test_a_wrong_call_is_exit_2_and_says_what_to_write(
    args: list[str], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    code, _, err = _run(capfd, *args)
    assert code == 2
    assert said in err


def test_our_own_fault_is_exit_3_with_what_to_report(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise InternalError("a slot is read before it is written", during="verify", printed="flow")

    monkeypatch.setattr("perdure.frontend.check.check", fail)
    code, out, err = _run(capfd, "check")
    assert (code, out) == (3, "")
    assert "a slot is read before it is written" in err
    assert "during    verify" in err
    assert "Traceback" not in err


def test_any_other_error_is_our_own_fault_too(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyError("x")

    monkeypatch.setattr("perdure.frontend.check.check", fail)
    code, _, err = _run(capfd, "check")
    assert code == 3
    assert "KeyError: 'x'" in err
    monkeypatch.setenv("PERDURE_DEBUG", "1")
    with pytest.raises(InternalError):
        run(["check"])


def test_rules_are_listed_and_explained(capfd: pytest.CaptureFixture[str]) -> None:
    code, out, _ = _run(capfd, "rule")
    assert code == 0
    assert "PDR107  a flow cannot contain `yield`\n" in out
    for spelling in ("PDR107", "pdr107", "107"):
        assert "help: collect the values" in _run(capfd, "rule", spelling)[1]
    assert json.loads(_run(capfd, "rule", "PDR107", "--json")[1])[0]["code"] == "PDR107"


def test_help_loads_no_command() -> None:
    code = (
        "import sys; from perdure.cli.main import run; run(['--help']); "
        "print(*[name for name in sys.modules if name.startswith('perdure')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.splitlines()[-1].split()) <= {
        "perdure",
        "perdure.cli",
        "perdure.cli.exits",
        "perdure.cli.main",
    }
    assert all(f"  {name} " in done.stdout for name in COMMANDS)


def test_every_command_exists() -> None:
    for name in COMMANDS:
        assert run([name, "--help"]) == 0, name


@pytest.mark.parametrize(
    ("command", "unwanted"),
    [
        ("['check']", {"asyncio", "sqlite3", "importlib.metadata", "perdure_aws", "logging"}),
        ("['compile', '--target', 'aws']", {"asyncio", "sqlite3", "importlib.metadata", "ssl"}),
    ],
)
def test_a_command_loads_nothing_that_it_does_not_need(
    command: str, unwanted: set[str], project: Path
) -> None:
    code = (
        f"import sys; from perdure.cli.main import run; assert run({command}) == 0; "
        "print(*[name for name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=project
    )
    loaded = set(done.stdout.split())
    assert not loaded & unwanted


def test_nobody_reading_the_output_is_no_error() -> None:
    script = f"{sys.executable} -m perdure.cli rule | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1


def test_an_interrupt_ends_quietly(project: Path) -> None:
    code = (
        "import sys, time; from perdure.cli import main; "
        "main.perdure.main = lambda *a, **k: (print('ready', flush=True), time.sleep(60)); "
        "main.main()"
    )
    started = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert started.stdout is not None
    assert started.stdout.readline() == "ready\n"
    time.sleep(0.1)
    os.kill(started.pid, signal.SIGINT)
    _, err = started.communicate(timeout=30)
    assert (started.returncode, err) == (130, "")
