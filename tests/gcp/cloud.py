"""Firestore, as its REST API answers, in this process."""

import copy
from collections.abc import Callable, Mapping
from typing import Any, Final, final

from perdure.codec import Json

__all__ = ["Firestore"]

COMPARE: Final[Mapping[str, Callable[[bytes, bytes], bool]]] = {
    "GREATER_THAN": lambda sort, bound: sort > bound,
    "GREATER_THAN_OR_EQUAL": lambda sort, bound: sort >= bound,
    "LESS_THAN_OR_EQUAL": lambda sort, bound: sort <= bound,
}


@final
class Firestore:
    """Documents by name; `send` is what `FirestoreStore` sends with."""

    def __init__(self) -> None:
        self.documents: dict[str, dict[str, Any]] = {}
        self.repeat_writes = False
        """Each write is sent twice, as by a client that lost the first answer."""
        self._time = 0

    def __call__(self, method: str, url: str, body: Json = None, /) -> tuple[int, Json]:
        """One request."""
        path = url.removeprefix("https://firestore.googleapis.com/v1/")
        asked: Any = body
        if method == "GET":
            found = self.documents.get(path)
            return (404, None) if found is None else (200, copy.deepcopy(found))
        if path.endswith(":commit"):
            answer = self._commit(asked["writes"])
            return self._commit(asked["writes"]) if self.repeat_writes else answer
        assert path.endswith(":runQuery"), path
        return 200, self._query(path.removesuffix(":runQuery"), asked["structuredQuery"])

    def _commit(self, writes: list[dict[str, Any]]) -> tuple[int, Json]:
        for write in writes:
            there = self.documents.get(write["update"]["name"])
            condition: Mapping[str, object] = write.get("currentDocument", {})
            if condition.get("exists") is False and there is not None:
                return 409, {"error": {"status": "ALREADY_EXISTS"}}
            if "updateTime" in condition and (
                there is None or there["updateTime"] != condition["updateTime"]
            ):
                return 400, {"error": {"status": "FAILED_PRECONDITION"}}
            self._time += 1
            made = copy.deepcopy(write["update"])
            self.documents[made["name"]] = {**made, "updateTime": f"t{self._time:09d}"}
        return 200, {}

    def _query(self, parent: str, asked: dict[str, Any]) -> list[Json]:
        (source,) = asked["from"]
        prefix = f"{parent}/{source['collectionId']}/"
        found = [one for name, one in self.documents.items() if name.startswith(prefix)]
        for each in asked["where"]["compositeFilter"]["filters"]:
            bound = each["fieldFilter"]
            limit = bound["value"]["stringValue"].encode()
            compare = COMPARE[bound["op"]]
            found = [one for one in found if compare(_sort(one), limit)]
        (order,) = asked["orderBy"]
        found.sort(key=_sort, reverse=order["direction"] == "DESCENDING")
        rows: list[Json] = [{"document": copy.deepcopy(one)} for one in found]
        # An answer without documents still has one row, with the time of the read.
        return rows[: asked.get("limit")] or [{"readTime": "t"}]


def _sort(document: Mapping[str, Any]) -> bytes:
    text: str = document["fields"]["sort"]["stringValue"]
    return text.encode()
