"""A store that dies in front of one of its writes, as a process does."""

from collections.abc import Mapping, Sequence

from perdure.codec.text import Json
from perdure.store.protocol import Item, Key, RunStore


class Crash(Exception):  # noqa: N818  # it is none
    """The process is gone."""


class CrashingStore:
    """Any form of the store; the write number `crash_at` (from 0) and all after it never happen."""

    def __init__(self, store: RunStore, crash_at: int) -> None:
        self._store = store
        self._left = crash_at

    def _write(self) -> None:
        if self._left <= 0:
            raise Crash
        self._left -= 1

    def get(self, key: Key) -> Item | None:
        return self._store.get(key)

    def put_if_absent(self, key: Key, body: Mapping[str, Json]) -> bool:
        self._write()
        return self._store.put_if_absent(key, body)

    def replace(self, key: Key, version: int, body: Mapping[str, Json]) -> bool:
        self._write()
        return self._store.replace(key, version, body)

    def query(
        self,
        partition: str,
        prefix: str,
        *,
        after: str = "",
        newest_first: bool = False,
        limit: int | None = None,
    ) -> Sequence[Item]:
        return self._store.query(
            partition, prefix, after=after, newest_first=newest_first, limit=limit
        )

    def put_blob(self, content: bytes) -> str:
        self._write()
        return self._store.put_blob(content)

    def get_blob(self, digest: str) -> bytes | None:
        return self._store.get_blob(digest)
