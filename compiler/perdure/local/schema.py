"""The local engine's tables in a store file, and how a file of an older version becomes one of
this version.

Beside the run store's own tables lie the event log (`perdure.local.log`), who drives which run
(`perdure.local.lease`) and which run is due (`perdure.local.wakes`). One version counts them all.
"""

import os
import shutil
import sqlite3
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from perdure.store.sqlite import SqliteStore

__all__ = ["LOG_FORMAT", "open_store", "prepare", "read_store"]

LOG_FORMAT: Final = 3
"""1: a step's first attempt was an entry of its own, and nothing said which runs are due.
2: nothing said which branches had ended by themselves."""
_NAME: Final = "event log"
_TRIES: Final = 5
_TABLES: Final = (
    """
CREATE TABLE IF NOT EXISTS log (
  run TEXT NOT NULL, sequence INTEGER NOT NULL, entry TEXT NOT NULL,
  PRIMARY KEY (run, sequence)) WITHOUT ROWID
""",
    """
CREATE TABLE IF NOT EXISTS leases (
  run TEXT PRIMARY KEY, owner TEXT NOT NULL, host TEXT NOT NULL, pid INTEGER NOT NULL,
  began TEXT NOT NULL, renewed REAL NOT NULL) WITHOUT ROWID
""",
    """
CREATE TABLE IF NOT EXISTS wakes (
  run TEXT PRIMARY KEY, program TEXT NOT NULL, at REAL) WITHOUT ROWID
""",
    "CREATE INDEX IF NOT EXISTS wakes_by_time ON wakes (at) WHERE at IS NOT NULL",
)
_ALL_RUNS_ARE_DUE: Final = """
INSERT OR IGNORE INTO wakes
  SELECT json_extract(body, '$.run'),
    json_extract(body, '$.versions.source') || ' ' || json_extract(body, '$.flow'), 0
  FROM items
  WHERE sort = 'record' AND json_extract(body, '$.end') IS NULL
    AND json_extract(body, '$.parent') IS NULL AND json_extract(body, '$.target') = 'local'
"""


def open_store(path: Path) -> SqliteStore:
    """Open a store file, made if it is not there, with the local engine's tables in it."""
    store = SqliteStore(path)
    try:
        prepare(store)
    except BaseException:
        store.close()
        raise
    return store


def read_store(path: Path) -> SqliteStore:
    """Open a store file to read it, also where nothing can be written: then what it holds now."""
    try:
        return open_store(path)
    except (sqlite3.OperationalError, PermissionError):
        if not os.access(path, os.R_OK) or os.access(path, os.W_OK):
            raise
    with TemporaryDirectory() as folder:
        copied = open_store(_copied(path, Path(folder)))
        store = SqliteStore(":memory:")
        copied.connection.backup(store.connection)
        copied.close()
    store.path, store.is_copy = str(path), True
    return store


def _copied(path: Path, folder: Path) -> Path:
    """The file and its log of writes, copied while nobody wrote."""
    parts = [path, path.with_name(f"{path.name}-wal")]
    for _ in range(_TRIES):
        before = [_state(part) for part in parts]
        for part in parts:
            if part.exists():
                shutil.copyfile(part, folder / part.name)
        if [_state(part) for part in parts] == before:
            break
    return folder / path.name


def _state(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_size, found.st_mtime_ns


def prepare(store: SqliteStore) -> None:
    """Make the tables, or bring an older file up to date; StoreTooNew refuses a newer one."""
    if _version(store) == LOG_FORMAT:
        return
    with store.transaction():
        # Looked at again: another process may have been here first.
        version = _version(store)
        if version == LOG_FORMAT:
            return
        for statement in _TABLES:
            store.connection.execute(statement)
        if version == 1:
            # Who waits for what is found out by looking at each run once.
            store.connection.execute(_ALL_RUNS_ARE_DUE)
        store.set_format(_NAME, LOG_FORMAT)


def _version(store: SqliteStore) -> int | None:
    store.check_format(_NAME, LOG_FORMAT)
    row = store.connection.execute("SELECT value FROM meta WHERE name = ?", (_NAME,)).fetchone()
    return None if row is None else int(row[0])
