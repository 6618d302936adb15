"""How the emitted JSON is laid out: as a person would, what fits on a line on one line."""

import json
from collections.abc import Mapping

from perdure.codec import Json

__all__ = ["compact", "pretty"]

WIDTH = 100


def pretty(document: Mapping[str, Json]) -> str:
    """JSON text with two spaces per level; lists and objects that fit stay on their line."""
    return _layout(dict(document), 0, 0) + "\n"


def compact(document: Mapping[str, Json]) -> str:
    """JSON text without a space more than it needs."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def _layout(value: Json, indent: int, used: int) -> str:
    """The text of a value that starts at column `indent` + `used`."""
    flat = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or not value:
        return flat
    if indent + used + len(flat) <= WIDTH and not _is_state(value):
        return flat
    pad = " " * (indent + 2)
    if isinstance(value, dict):
        rows = [
            f"{pad}{key}: {_layout(item, indent + 2, len(key) + 3)}"
            for key, item in ((json.dumps(k, ensure_ascii=False), v) for k, v in value.items())
        ]
        return "{\n" + ",\n".join(rows) + "\n" + " " * indent + "}"
    items = [pad + _layout(item, indent + 2, 1) for item in value]
    return "[\n" + ",\n".join(items) + "\n" + " " * indent + "]"


def _is_state(value: Json) -> bool:
    """States stand on lines of their own, however short."""
    return isinstance(value, dict) and "Type" in value
