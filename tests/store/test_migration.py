"""A store file of an older version: it is read and brought up to date, and its runs go on.

`golden/v<N>/store.db` was written by the version whose event log had format N: a run of each kind
(done, failed, one that waits and has its event, one that sleeps, one whose process died in a step).
"""

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from perdure.local.schema import LOG_FORMAT, open_store
from perdure.store.protocol import StoreTooNew
from tests.local.project import command

GOLDEN = Path(__file__).parent / "golden"
DUE = {
    1: [("die", 0.0), ("nap", 0.0), ("wait", 0.0)],  # nothing said who waits for what
    2: [("die", None), ("nap", 1795451640.0), ("wait", 0.0)],
}
"""When each run is due, by the version of the file."""


@pytest.fixture(params=DUE)
def version(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def root(version: int, tmp_path: Path) -> Path:
    old = GOLDEN / f"v{version}"
    for name in ("app.py", "pyproject.toml"):
        shutil.copy(old / name, tmp_path)
    (tmp_path / ".perdure").mkdir()
    shutil.copy(old / "store.db", tmp_path / ".perdure" / "runs.db")
    return tmp_path


def formats(path: Path) -> dict[str, str]:
    with sqlite3.connect(path) as connection:
        return dict(connection.execute("SELECT name, value FROM meta").fetchall())


def test_there_is_a_file_of_every_older_version() -> None:
    assert [*DUE] == [*range(1, LOG_FORMAT)]
    for version in DUE:
        known = {"event log": str(version), "run store": "1"}
        assert formats(GOLDEN / f"v{version}" / "store.db") == known


def test_every_run_that_has_not_ended_is_due_afterwards(root: Path, version: int) -> None:
    path = root / ".perdure" / "runs.db"
    store = open_store(path)
    rows = store.connection.execute("SELECT run, at FROM wakes ORDER BY run").fetchall()
    store.close()
    assert rows == DUE[version]
    assert formats(path) == {"event log": str(LOG_FORMAT), "run store": "1"}
    open_store(path).close()


def test_old_runs_are_shown_and_go_on(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SURVIVE", "1")
    rows = {row["run"]: row["status"] for row in json.loads(command(root, "runs", "--json"))}
    assert rows == dict.fromkeys(("die", "nap", "wait"), "running") | {
        "done": "completed",
        "fail": "failed",
    }
    assert "no way with 3" in command(root, "show", "fail")
    assert json.loads(command(root, "resume", "wait")) == [6, 7, 8, 7]
    assert json.loads(command(root, "resume", "nap")) == [6, 7, 8]
    out = command(root, "resume", "die")
    assert json.loads(out) == [6, 7, 8, 3], "what it had printed is not printed again"
    shown = json.loads(command(root, "show", "die", "--json"))
    (fall,) = [each for each in shown["operations"] if each["path"] == "fall"]
    assert fall["failures"] == [{"attempt": 1, "error": None}], "the old attempt was lost"


def test_a_newer_event_log_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    store = open_store(path)
    store.set_format("event log", 99)
    store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()
    before = path.read_bytes()
    with pytest.raises(StoreTooNew, match="event log in format 99"):
        open_store(path)
    assert path.read_bytes() == before
