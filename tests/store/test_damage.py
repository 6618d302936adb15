"""Files that are no store of ours, or are damaged: told clearly, and left as they are."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import click
import pytest

from perdure.cli.store import open_store
from tests.local.project import command, write_project

FLOW = """
from perdure import flow, step


@step
async def add(total: int, n: int) -> int:
    return total + n


@flow
async def count(steps: int) -> int:
    total = 0
    for n in range(steps):
        total = await add(total, n)
    return total
"""
PAGE = 4096


def random_bytes(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 64)


def other_database(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE notes (text)")


def header_overwritten(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    whole[:100] = b"\xff" * 100
    path.write_bytes(whole)


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: 5 * PAGE + 17])


def pages_overwritten(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    for start in range(2 * PAGE, len(whole), PAGE):
        whole[start : start + 64] = b"\xff" * 64
    path.write_bytes(whole)


def entry_overwritten(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE log SET entry = '{broken' WHERE sequence = 5")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = write_project(tmp_path_factory.mktemp("damage"), app=FLOW)
    command(made, "run", "app.py", "steps=120", "--id", "a")
    (made / "whole.db").write_bytes((made / ".perdure" / "runs.db").read_bytes())
    return made


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (random_bytes, 2),
        (other_database, 2),
        (cut_off, 2),
        (header_overwritten, 2),
        (pages_overwritten, 5),
        (entry_overwritten, 5),
    ],
)
def test_damage_is_told_and_nothing_is_written(
    root: Path, damage: Callable[[Path], None], code: int
) -> None:
    path = root / ".perdure" / "runs.db"
    for old in path.parent.glob("runs.db*"):
        old.unlink()
    path.write_bytes((root / "whole.db").read_bytes())
    damage(path)
    before = path.read_bytes()
    for verb in (("show", "a"), ("fork", "a", "--at", "add")):
        out = command(root, *verb, code=code)
        assert ("is no store of runs" in out) is (code == 2)
        assert ("the file is damaged: put a copy of it back" in out) is (code == 5)
        # Of what has no header nobody can say which of the two it is.
        is_either = damage in (random_bytes, header_overwritten)
        assert ("or it is one and damaged" in out) is is_either or damage is cut_off
        assert "Traceback" not in out
    assert path.read_bytes() == before


def test_what_is_no_file_is_no_store(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERDURE_STORE", "/dev/null")
    monkeypatch.chdir(root)
    with pytest.raises(click.UsageError, match="`/dev/null` is no store of runs; name another"):
        open_store(Path.cwd())


def test_a_file_that_cannot_grow_stops_a_run_in_an_orderly_way(root: Path) -> None:
    (root / ".perdure" / "runs.db").unlink()
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000));"
        "sys.argv[1:] = ['run', 'app.py', 'steps=9000']; import perdure.__main__ as command;"
        "command.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 5, done.stderr
    assert "Traceback" not in done.stderr
    assert "Task was destroyed" not in done.stderr
    assert "the store of runs cannot be used" in done.stderr
    assert "runs can be resumed" in done.stderr
