"""This machine's plain settings: what steps and modules find in their environment."""

from pathlib import Path

import pytest

from perdure.cli.main import run
from tests.local.project import write_project

FLOW = """
import os

from perdure import flow, step

MODEL = os.environ["MODEL"]


@step
async def seen() -> str:
    return MODEL + " " + os.environ["LANGUAGE"]


@flow
async def main() -> str:
    return await seen()
"""
SETTINGS = """
[tool.perdure.env.prod]
target = "aws"
settings = { MODEL = "large", LANGUAGE = "de" }

[tool.perdure.env.local]
settings = { MODEL = "small", LANGUAGE = "en" }
"""


def test_modules_and_steps_find_what_local_says_unless_the_shell_says_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_project(tmp_path, app=FLOW)
    with (root / "pyproject.toml").open("a") as file:
        file.write(SETTINGS)
    monkeypatch.setenv("MODEL", "gone after the test")
    monkeypatch.delenv("MODEL")
    monkeypatch.setenv("LANGUAGE", "fr")
    monkeypatch.chdir(root)
    assert run(["run", "app.py"]) == 0
    assert "small fr" in capsys.readouterr().out
