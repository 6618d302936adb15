"""The run store in Firestore: documents written under preconditions, by REST and the stdlib alone.

    perdure/<digest of partition>/items/<digest of sort>

        partition, sort   the key; a query goes by `sort`, whose order is that of UTF-8 bytes
        version           counts the writes
        body              the record as JSON text; `blob` instead where it is too long
        write             who wrote this version: a write that was sent twice knows itself again

    perdure_blobs/<digest>            {"parts"}, written last: a blob without it is not there
    perdure_blobs/<digest>/parts/<n>  {"content"}

Firestore's reads are strongly consistent. A precondition is on the time of the last update, so a
replacement reads first. https://firestore.googleapis.com/$discovery/rest?version=v1
"""

import base64
import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Final, Protocol, final
from uuid import uuid4

from perdure.codec.text import Json
from perdure.errors import LimitExceeded
from perdure.store.protocol import Item, Key

__all__ = ["FirestoreStore", "Send"]

PART_BYTES: Final = 900_000
"""Of a body or a blob in one document; it has 1 MiB with names
(https://firebase.google.com/docs/firestore/quotas)."""
SORT_BYTES: Final = 1_500
"""Of a value that is indexed, from the same page."""
LAST: Final = "\U0010ffff"


class Send(Protocol):
    """One request with the service's token: the status, and what the answer holds as JSON."""

    def __call__(self, method: str, url: str, body: Json = None, /) -> tuple[int, Json]:
        """Send it; statuses from 500 on are tried again by whoever implements this."""
        ...


@final
class FirestoreStore:
    """`RunStore` in one database of a project."""

    def __init__(self, send: Send, project: str, database: str = "(default)") -> None:
        self._send = send
        self._root = f"projects/{project}/databases/{database}/documents"
        self._url = f"https://firestore.googleapis.com/v1/{self._root}"

    def get(self, key: Key) -> Item | None:
        """Return the item under this key."""
        found = self._document(_path(key))
        return None if found is None else self._item(found)

    def put_if_absent(self, key: Key, body: Mapping[str, Json]) -> bool:
        """Write version 1 unless an item is there."""
        return self._write(key, 1, body, {"exists": False})

    def replace(self, key: Key, version: int, body: Mapping[str, Json]) -> bool:
        """Write version + 1 if the item has this version now."""
        found = self._document(_path(key))
        if found is None or _integer(found, "version") != version:
            return False
        return self._write(key, version + 1, body, {"updateTime": found["updateTime"]})

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
        if limit == 0:
            return ()
        after = "" if newest_first else after
        lowest = {"op": "GREATER_THAN", "value": after} if after >= prefix and after else None
        bounds = [
            lowest or {"op": "GREATER_THAN_OR_EQUAL", "value": prefix},
            {"op": "LESS_THAN_OR_EQUAL", "value": prefix + LAST},
        ]
        asked: dict[str, Json] = {
            "from": [{"collectionId": "items"}],
            "where": {"compositeFilter": {"op": "AND", "filters": [_filter(b) for b in bounds]}},
            "orderBy": [_order(newest_first)],
            **({} if limit is None else {"limit": limit}),
        }
        parent = f"{self._url}/perdure/{_digest(partition)}:runQuery"
        status, answer = self._send("POST", parent, {"structuredQuery": asked})
        if status != 200 or not isinstance(answer, list):
            raise RuntimeError(f"Firestore answers {status} to a query: {answer}")
        rows = [row.get("document") for row in answer if isinstance(row, dict)]
        return [self._item(row) for row in rows if isinstance(row, dict)]

    def put_blob(self, content: bytes) -> str:
        """Keep bytes under their SHA-256."""
        digest = sha256(content).hexdigest()
        head = f"perdure_blobs/{digest}"
        if self._document(head) is not None:
            return digest
        parts = [content[at : at + PART_BYTES] for at in range(0, len(content), PART_BYTES)]
        for number, part in enumerate(parts):
            value: Json = {"bytesValue": base64.b64encode(part).decode()}
            self._commit(f"{head}/parts/{number:06d}", {"content": value}, None)
        self._commit(head, {"parts": {"integerValue": str(len(parts))}}, None)
        return digest

    def get_blob(self, digest: str) -> bytes | None:
        """Return the bytes kept under this digest."""
        head = self._document(f"perdure_blobs/{digest}")
        if head is None:
            return None
        parts: list[bytes] = []
        for number in range(_integer(head, "parts")):
            part = self._document(f"perdure_blobs/{digest}/parts/{number:06d}")
            assert part is not None, "the head of a blob is written last"
            parts.append(base64.b64decode(_value(part, "content", "bytesValue")))
        return b"".join(parts)

    # --- one request ----------------------------------------------------------------------------

    def _document(self, path: str) -> dict[str, Json] | None:
        status, answer = self._send("GET", f"{self._url}/{path}")
        if status == 404:
            return None
        if status != 200 or not isinstance(answer, dict):
            raise RuntimeError(f"Firestore answers {status}: {answer}")
        return answer

    def _write(
        self, key: Key, version: int, body: Mapping[str, Json], condition: dict[str, Json]
    ) -> bool:
        """Write if the condition holds; what was sent twice, and was written, is written."""
        write = uuid4().hex
        fields: dict[str, Json] = {
            "partition": {"stringValue": key.partition},
            "sort": {"stringValue": key.sort},
            "version": {"integerValue": str(version)},
            "write": {"stringValue": write},
            **self._body(body),
        }
        if self._commit(_path(key), fields, condition):
            return True
        there = self._document(_path(key))
        return there is not None and _value(there, "write", "stringValue") == write

    def _commit(
        self, path: str, fields: dict[str, Json], condition: dict[str, Json] | None
    ) -> bool:
        update: dict[str, Json] = {"update": {"name": f"{self._root}/{path}", "fields": fields}}
        if condition is not None:
            update["currentDocument"] = condition
        status, answer = self._send("POST", f"{self._url}:commit", {"writes": [update]})
        if status == 200:
            return True
        if status == 409 or (status == 400 and _reason(answer) == "FAILED_PRECONDITION"):
            return False
        raise RuntimeError(f"Firestore answers {status} to a write: {answer}")

    def _body(self, body: Mapping[str, Json]) -> dict[str, Json]:
        text = json.dumps(body, separators=(",", ":"))  # ASCII: surrogates have no UTF-8
        if len(text) <= PART_BYTES:
            return {"body": {"stringValue": text}}
        return {"blob": {"stringValue": self.put_blob(text.encode())}}

    def _item(self, found: Mapping[str, Json]) -> Item:
        partition = _value(found, "partition", "stringValue")
        key = Key(partition, _value(found, "sort", "stringValue"))
        fields = found["fields"]
        assert isinstance(fields, Mapping), "a document has fields"
        text: str | bytes | None = None
        if "body" in fields:
            text = _value(found, "body", "stringValue")
        else:
            text = self.get_blob(_value(found, "blob", "stringValue"))
        assert text is not None, f"{key}: its blob was written before it"
        return Item(key, _integer(found, "version"), json.loads(text))


def _path(key: Key) -> str:
    if len(key.sort.encode()) > SORT_BYTES:
        raise LimitExceeded(
            f"firestore_sort_key_bytes: {key.sort[:60]!r}... has {len(key.sort.encode())} bytes,"
            f" and Firestore indexes {SORT_BYTES}"
        )
    return f"perdure/{_digest(key.partition)}/items/{_digest(key.sort)}"


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _filter(bound: Mapping[str, str]) -> Json:
    return {
        "fieldFilter": {
            "field": {"fieldPath": "sort"},
            "op": bound["op"],
            "value": {"stringValue": bound["value"]},
        }
    }


def _order(newest_first: bool) -> Json:
    direction = "DESCENDING" if newest_first else "ASCENDING"
    return {"field": {"fieldPath": "sort"}, "direction": direction}


def _value(document: Mapping[str, Json], field: str, kind: str) -> str:
    fields = document["fields"]
    value = fields.get(field) if isinstance(fields, Mapping) else None
    content = value.get(kind, "") if isinstance(value, Mapping) else ""
    assert isinstance(content, str), f"{field} is {kind}"
    return content


def _integer(document: Mapping[str, Json], field: str) -> int:
    return int(_value(document, field, "integerValue"))


def _reason(answer: Json) -> Json:
    error = answer.get("error") if isinstance(answer, Mapping) else None
    return error.get("status") if isinstance(error, Mapping) else None
