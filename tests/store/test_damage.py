"""Files that are no store of ours, or are damaged: told clearly, and left as they are."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

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
        assert "Traceback" not in out
    assert path.read_bytes() == before
