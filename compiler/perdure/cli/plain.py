"""Encoded values as people and other programs read them: plain JSON, as near as it comes.

Works on the text of the codec alone: nothing of the user's is imported to look at a run.
"""

import json
from collections.abc import Iterator, Mapping

from perdure.codec.text import Json

__all__ = ["plain", "plain_fields", "shown"]

_PAIRS = ("dict", "counter", "odict", "defaultdict")
_NUMBERS = ("int", "float")
_NAMED = {"fn": "r", "closure": "r", "type": "c", "method": "n"}


def plain(encoded: Json) -> object:
    """An encoded value as plain JSON, without tags; for reading, not for decoding again."""
    return _Reader(encoded).read(encoded)


def plain_fields(encoded: Json) -> dict[str, object]:
    """Values encoded together (arguments, an input), by name."""
    if not isinstance(encoded, dict):
        return {}
    reader = _Reader(encoded)
    return {name: reader.read(value) for name, value in encoded.items()}


def shown(value: object, width: int = 60) -> str:
    """One short line of plain JSON."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= width else text[: width - 1] + "…"


class _Reader:
    """One heap of encoded values."""

    def __init__(self, heap: Json) -> None:
        self._heap = dict(_definitions(heap))
        self._open: set[object] = set()

    def read(self, node: Json) -> object:
        """Turn one node into plain JSON."""
        if isinstance(node, list):
            return [self.read(item) for item in node]
        if not isinstance(node, dict):
            return node
        tag = node.get("@")
        if not isinstance(tag, str):
            return {name: self.read(item) for name, item in node.items()}
        return self._tagged(tag, node)

    def _tagged(self, tag: str, node: Mapping[str, Json]) -> object:
        value = node.get("v")
        if tag == "ref":
            return self._reference(str(node.get("n")))
        if tag in _NAMED:
            return str(node.get(_NAMED[tag]))
        if tag == "error":
            name = str(node.get("type")).rpartition(":")[2]
            return f"{name}: {node.get('message')}" if node.get("message") else name
        if tag in _NUMBERS:
            return _number(tag, str(value))
        if tag == "timedelta" and isinstance(value, list):
            return _duration(*(int(str(part)) for part in value))
        if tag in _PAIRS and isinstance(value, list):
            pairs = [pair for pair in value if isinstance(pair, list) and len(pair) == 2]
            return {self._key(key): self.read(item) for key, item in pairs}
        return self.read(value)

    def _reference(self, number: str) -> object:
        if number in self._open or number not in self._heap:
            return "…"
        self._open.add(number)
        try:
            return self.read(self._heap[number])
        finally:
            self._open.discard(number)

    def _key(self, key: Json) -> str:
        value = self.read(key)
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _number(tag: str, text: str) -> object:
    if tag == "int":
        return int(text, 0) if text.startswith(("0x", "-0x")) else int(text)
    return float(text) if text not in ("inf", "-inf", "nan") else text


def _duration(days: int, seconds: int, micros: int) -> str | float:
    """As an input takes it: text, or seconds where it is negative."""
    if days < 0:
        return days * 86400 + seconds + micros / 1e6
    minutes, seconds = divmod(seconds, 60)
    rest = f"{seconds}.{micros:06}".rstrip("0") if micros else str(seconds)
    parts = zip((str(days), *map(str, divmod(minutes, 60)), rest), "dhms", strict=True)
    return "".join(number + unit for number, unit in parts if number != "0") or "0s"


def _definitions(node: Json) -> Iterator[tuple[str, Json]]:
    """Objects that references lead to, by number."""
    if isinstance(node, list):
        for item in node:
            yield from _definitions(item)
    elif isinstance(node, dict):
        if node.get("@") == "def":
            yield str(node.get("n")), node.get("v")
        for item in node.values():
            yield from _definitions(item)
