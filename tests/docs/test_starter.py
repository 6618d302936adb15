"""The project that `perdure init` makes: all that it prints works, and its own tests pass."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from perdure.cli.main import run
from perdure_templates import read


@pytest.fixture
def project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[Path, str]:
    """A new project, and what `init` said."""
    folder = tmp_path / "My Agent"
    assert run(["init", str(folder)]) == 0
    monkeypatch.chdir(folder)
    return folder, capsys.readouterr().out


def test_the_commands_that_init_prints_work(project: tuple[Path, str]) -> None:
    commands = re.findall(r"^  .*perdure ((?:run|compile) .*)$", project[1], re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        words = command.split()
        # `run` stays for the person; here nobody comes.
        code = run([*words, "--detach"] if words[0] == "run" else words)
        assert code == (4 if words[0] == "run" else 0)


def test_a_rejected_draft_is_written_again(
    project: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["run", "flows/reply.py", "question=Is it red?", "--detach"]) == 4
    assert run(["send", "last", "approval", "approved=false", "note=Say yes."]) == 4
    capsys.readouterr()
    assert run(["send", "last", "approval", "approved=true"]) == 0
    assert capsys.readouterr().out.rstrip().endswith('Say yes."')


def test_its_own_tests_pass(project: tuple[Path, str]) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=project[0],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    assert re.search(r"^6 passed", ran.stdout, re.MULTILINE), ran.stdout


def test_the_project_is_called_as_packaging_tools_want_it(project: tuple[Path, str]) -> None:
    settings = (project[0] / "pyproject.toml").read_text()
    assert 'name = "my-agent"' in settings
    assert "{{" not in settings


def test_a_template_is_read_by_its_path() -> None:
    assert "{{project}}" in read("starter/pyproject.toml.template")
    with pytest.raises(FileNotFoundError, match="nothing"):
        read("starter/nothing")
