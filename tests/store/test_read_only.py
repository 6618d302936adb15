"""A project where nothing can be written: its runs are listed and shown all the same."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.local.project import command, write_project

FLOW = """
from perdure import event, flow, step


@step
async def double(n: int) -> int:
    return 2 * n


@flow
async def waits(n: int) -> int:
    return await double(n) + await event("more", int)
"""
_LIKE_OTHERS = ("--bounding-set", "-dac_override,-dac_read_search", "--")
"""What `setpriv` takes from root, which may write anything otherwise."""


@pytest.fixture(params=["closed", "left by a killed process"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Path]:
    made = write_project(tmp_path, app=FLOW)
    folder = made / ".perdure"
    command(made, "run", "app.py", "n=4", "--id", "a", "--detach", code=4)
    if request.param != "closed":
        # The log of writes lies beside the file; what shares memory by it is not there.
        whole, log = folder / "runs.db", folder / "runs.db-wal"
        kept = _with_its_log(whole)
        whole.write_bytes(kept[0])
        log.write_bytes(kept[1])
    for path in (*folder.iterdir(), folder, made):
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield made
    made.chmod(0o755)
    folder.chmod(0o755)


def _with_its_log(path: Path) -> tuple[bytes, bytes]:
    """The bytes of a store and of its log while a process has it open and has written."""
    code = (
        "import sqlite3, sys, os; from pathlib import Path\n"
        "c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "c.execute(\"INSERT INTO meta VALUES ('only in the log', '1')\")\n"
        "os._exit(0)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
    log = path.with_name(f"{path.name}-wal")
    kept = path.read_bytes(), log.read_bytes()
    assert kept[1]
    for old in path.parent.glob("runs.db-*"):
        old.unlink()
    return kept


def perdure(root: Path, *arguments: str) -> tuple[int, str, str]:
    call = [sys.executable, "-m", "perdure", *arguments]
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("nothing here takes root's right to write anything")
        call = ["setpriv", *_LIKE_OTHERS, *call]
    done = subprocess.run(call, cwd=root, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


def test_runs_are_listed_shown_and_followed_and_nothing_is_written(root: Path) -> None:
    before = {path: path.read_bytes() for path in (root / ".perdure").iterdir()}
    code, out, err = perdure(root, "runs", "--json")
    assert code == 0, err
    assert [(row["run"], row["waits_for"]) for row in json.loads(out)] == [("a", ["more"])]
    code, out, err = perdure(root, "show", "a", "--follow")
    assert code == 0, err
    assert "double(n=4) → 8" in out
    assert "cannot be written here: this is how it was when it was read" in err
    code, out, err = perdure(root, "send", "a", "more", "--payload", "1")
    assert code == 5
    assert "cannot be written here; `perdure runs` and `show` read it" in err
    assert {path: path.read_bytes() for path in (root / ".perdure").iterdir()} == before
