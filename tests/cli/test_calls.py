"""What a new user does in a folder that has more than flows in it."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.local.project import command

FLOW = """
from perdure import flow, step

@step
async def double(x: int) -> int:
    return x * 2

@flow
async def main(x: int = 1) -> int:
    return await double(x)
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(FLOW)
    (tmp_path / "folder.py").mkdir()
    return tmp_path


@pytest.mark.parametrize("out", ["compiled", "elsewhere"])
def test_what_was_compiled_is_no_source(out: str, root: Path) -> None:
    made = ("compile", ".", "-t", "azure", "-t", "aws", "--out", out)
    command(root, *made)
    assert (root / out / "azure" / "main" / "app.py").exists()
    assert command(root, "check", ".") == ""
    assert command(root, *made).count("(unchanged)") == 2


def test_a_flow_that_is_not_there_is_a_wrong_call(root: Path) -> None:
    for words in (["run"], ["check"], ["ir"], ["compile", "-t", "aws"]):
        said = command(root, *words, "app.py:mian", code=2)
        assert "help: write `app.py:main`" in said


def test_a_limit_is_positive(root: Path) -> None:
    command(root, "run", "app.py")
    assert "'--limit'" in command(root, "runs", "--limit", "0", code=2)


def test_what_takes_long_is_said_on_a_terminal(root: Path) -> None:
    text = f"import time\ntime.sleep(1.3)\n{FLOW}"
    (root / "slow.py").write_text(text)
    call = f"{shlex.quote(sys.executable)} -m perdure run slow.py"
    done = subprocess.run(
        ["script", "-qec", call, "/dev/null"],
        cwd=root,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "reading slow.py ..." in done.stdout
    assert "reading" not in command(root, "run", "slow.py")
