"""The SQLite form: the suite, and what only a file can show."""

import multiprocessing
import sqlite3
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from perdure.store.inbox import events, put_event
from perdure.store.match import get_waiter, match, register
from perdure.store.protocol import EventState, Key, RunStore, StoreTooNew, Waiter, WaiterState
from perdure.store.sqlite import SqliteStore
from tests.store.suite import StoreSuite, check_interleavings


class TestSqlite(StoreSuite):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[RunStore]:
        made = SqliteStore(tmp_path / "runs.db")
        yield made
        made.close()


def test_every_interleaving_and_crash_leaves_a_store_that_match_repairs() -> None:
    check_interleavings(SqliteStore)


def test_commits_are_synced_and_the_folder_is_kept_out_of_git(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / ".perdure" / "runs.db")
    assert store.connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert store.connection.execute("PRAGMA fullfsync").fetchone() == (1,)
    assert store.connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert (tmp_path / ".perdure" / ".gitignore").read_text() == "*\n"
    store.close()


def test_a_newer_store_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    store = SqliteStore(path)
    store.set_format("run store", 99)
    store.close()
    with pytest.raises(StoreTooNew, match="run store in format 99"):
        SqliteStore(path)


def test_a_newer_record_is_refused(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "runs.db")
    store.put_if_absent(Key("run/r", "inbox/x/000000000001"), {"format": 99})
    with pytest.raises(StoreTooNew, match="format 99"):
        events(store, "r", "x")
    store.close()


def test_a_transaction_that_fails_leaves_nothing(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "runs.db")
    with pytest.raises(RuntimeError), store.transaction():  # noqa: PT012  # both are the point
        put_event(store, "r", "x", 1, id="1", now=0.0)
        raise RuntimeError
    assert events(store, "r") == []
    store.close()


def test_what_is_not_synced_keeps_out_of_another_threads_transaction(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "runs.db")
    begun, done = threading.Event(), threading.Event()
    synced: list[object] = []

    def keep() -> None:
        with store.transaction():
            begun.set()
            done.wait(0.2)
            synced.append(store.connection.execute("PRAGMA synchronous").fetchone()[0])

    keeper = threading.Thread(target=keep)
    keeper.start()
    assert begun.wait(10)
    with store.without_sync():
        assert synced == [2]
        store.put_if_absent(Key("run/r", "record"), {})
    done.set()
    keeper.join()
    store.close()


def _race(path: str, worker: int, count: int) -> None:
    """Sends and waits at once with another process, without a transaction around anything."""
    store = SqliteStore(path)
    for number in range(count):
        put_event(store, "r", "x", [worker, number], id=f"{worker}-{number}", now=0.0)
        match(store, "r", "x")
        register(store, Waiter("r", f"w{worker}[{number}]", ("x",), float(number)))
    store.close()


def test_two_processes_that_race_pair_every_event_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What is spawned looks for this module where this process does; `pytest` alone does not.
    monkeypatch.setattr(sys, "path", [str(Path(__file__).parents[2]), *sys.path])
    path, count = str(tmp_path / "runs.db"), 40
    SqliteStore(path).close()
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_race, args=(path, n, count)) for n in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    store = SqliteStore(path)
    match(store, "r", "x")
    stored = events(store, "r", "x")
    assert [event.sequence for event in stored] == list(range(1, 2 * count + 1))
    assert {event.state for event in stored} == {EventState.TAKEN}
    assert len({event.waiter for event in stored}) == 2 * count
    for event in stored:
        waiter = get_waiter(store, "r", event.waiter or "")
        assert waiter is not None
        assert waiter.state is WaiterState.WON
        assert waiter.won == (event.name, event.sequence)
    store.close()


def test_the_file_is_plain_sqlite(tmp_path: Path) -> None:
    SqliteStore(tmp_path / "runs.db").close()
    found = sqlite3.connect(tmp_path / "runs.db").execute("SELECT name, value FROM meta")
    assert dict(found.fetchall()) == {"run store": "1"}
