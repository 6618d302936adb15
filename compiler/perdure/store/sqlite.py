"""The run store in one SQLite file: WAL, every commit synced to disk before it is acknowledged.

The local engine keeps its event log in the same file (`perdure.local.log`), over the same
connection, so that `transaction()` can make several writes one.
"""

import json
import sqlite3
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Final, final

from perdure.store.protocol import FORMAT, Item, Json, Key, NotAStore, StoreTooNew

__all__ = ["SqliteStore"]

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS items (
  partition TEXT NOT NULL, sort TEXT NOT NULL, version INTEGER NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (partition, sort)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS blobs (digest TEXT PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID;
"""
_LAST: Final = "\U0010ffff"


@final
class SqliteStore:
    """`RunStore` in a file; ":memory:" for tests. One process may use it from several threads."""

    def __init__(self, path: Path | str = ":memory:") -> None:
        self.path = str(path)
        self.is_copy = False
        """What a file held at a moment: it never changes."""
        self._lock = threading.RLock()
        self._depth = 0
        if self.path != ":memory:":
            _prepare_folder(Path(self.path).parent)
        self.connection = sqlite3.connect(
            self.path, isolation_level=None, check_same_thread=False, timeout=30.0
        )
        self._open()

    def _open(self) -> None:
        run = self.connection.execute
        run("PRAGMA busy_timeout=30000")
        if self._is_new():
            if run("SELECT 1 FROM sqlite_master WHERE type = 'table'").fetchone():
                raise NotAStore(f"{self.path} is a database of something else")
            run("PRAGMA journal_mode=WAL")
        run("PRAGMA synchronous=FULL")
        # On macOS a sync reaches the disk's own cache only, unless this is on.
        run("PRAGMA fullfsync=ON")
        self.check_format("run store", FORMAT)
        if self._is_new():
            with self.transaction():
                for statement in _TABLES.split(";")[:-1]:
                    run(statement)
                self.set_format("run store", FORMAT)

    def _is_new(self) -> bool:
        query = "SELECT 1 FROM sqlite_master WHERE name = 'blobs'"
        return self.connection.execute(query).fetchone() is None

    def check_format(self, name: str, known: int) -> None:
        """Refuse a file whose format of this name is newer than the known one."""
        has_meta = "SELECT 1 FROM sqlite_master WHERE name = 'meta'"
        if self.connection.execute(has_meta).fetchone() is None:
            return
        query = "SELECT value FROM meta WHERE name = ?"
        row = self.connection.execute(query, (name,)).fetchone()
        if row is not None and int(row[0]) > known:
            raise StoreTooNew(
                f"{self.path} holds the {name} in format {row[0]}, this perdure reads format"
                f" {known}: use the perdure that wrote it, or a newer one"
            )

    def set_format(self, name: str, version: int) -> None:
        """Note the format of this name."""
        self.connection.execute(
            "INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", (name, str(version))
        )

    @contextmanager
    def transaction(self) -> Generator[None]:
        """Make all writes inside one, durable at the end; a nested one joins the outer."""
        with self._lock:
            if self._depth:
                yield
                return
            self.connection.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
                self.connection.execute("COMMIT")
            except BaseException:
                # Some errors (a full disk) have rolled back already.
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise
            finally:
                self._depth -= 1

    @contextmanager
    def without_sync(self) -> Generator[None]:
        """Transactions inside survive the end of this process at once, and a loss of power only
        with the next one that is synced. Other threads' transactions keep out meanwhile: theirs
        are to be synced, and within one the setting cannot change."""
        with self._lock:
            self.connection.execute("PRAGMA synchronous=NORMAL")
            try:
                yield
            finally:
                self.connection.execute("PRAGMA synchronous=FULL")

    def get(self, key: Key) -> Item | None:
        """Return the item under this key."""
        query = "SELECT version, body FROM items WHERE partition = ? AND sort = ?"
        with self._lock:
            row = self.connection.execute(query, key).fetchone()
        return None if row is None else Item(key, row[0], json.loads(row[1]))

    def put_if_absent(self, key: Key, body: Mapping[str, Json]) -> bool:
        """Write version 1 unless an item is there."""
        statement = "INSERT OR IGNORE INTO items VALUES (?, ?, 1, ?)"
        with self._lock:
            return self.connection.execute(statement, (*key, _text(body))).rowcount == 1

    def replace(self, key: Key, version: int, body: Mapping[str, Json]) -> bool:
        """Write version + 1 if the item has this version now."""
        statement = (
            "UPDATE items SET version = version + 1, body = ?"
            " WHERE partition = ? AND sort = ? AND version = ?"
        )
        with self._lock:
            return self.connection.execute(statement, (_text(body), *key, version)).rowcount == 1

    def remove(self, key: Key) -> None:
        """Forget an item. No part of `RunStore`: for a run that nobody drives meanwhile."""
        with self._lock:
            self.connection.execute("DELETE FROM items WHERE partition = ? AND sort = ?", key)

    def query(
        self,
        partition: str,
        prefix: str,
        *,
        after: str = "",
        newest_first: bool = False,
        limit: int | None = None,
    ) -> Sequence[Item]:
        """Return the items of a partition by sort key."""
        statement = (
            "SELECT sort, version, body FROM items"
            " WHERE partition = ? AND sort >= ? AND sort < ? AND sort > ?"
            f" ORDER BY sort {'DESC' if newest_first else 'ASC'} LIMIT ?"
        )
        after = "" if newest_first else after
        last = -1 if limit is None else limit
        with self._lock:
            rows = self.connection.execute(
                statement, (partition, prefix, prefix + _LAST, after, last)
            ).fetchall()
        return [Item(Key(partition, row[0]), row[1], json.loads(row[2])) for row in rows]

    def put_blob(self, content: bytes) -> str:
        """Keep bytes under their SHA-256."""
        digest = sha256(content).hexdigest()
        with self._lock:
            self.connection.execute("INSERT OR IGNORE INTO blobs VALUES (?, ?)", (digest, content))
        return digest

    def get_blob(self, digest: str) -> bytes | None:
        """Return the bytes kept under this digest."""
        query = "SELECT content FROM blobs WHERE digest = ?"
        with self._lock:
            row = self.connection.execute(query, (digest,)).fetchone()
        return None if row is None else bytes(row[0])

    def changes(self) -> int:
        """Return a number that changes whenever another process or connection commits."""
        with self._lock:
            return int(self.connection.execute("PRAGMA data_version").fetchone()[0])

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self.connection.close()


def _text(body: Mapping[str, Json]) -> str:
    return json.dumps(body, separators=(",", ":"), ensure_ascii=True)


def _prepare_folder(folder: Path) -> None:
    """Make the folder, and keep a folder of ours out of git."""
    folder.mkdir(parents=True, exist_ok=True)
    ignore = folder / ".gitignore"
    if folder.name == ".perdure" and not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")
