"""Values as people and other programs read them: plain JSON, as near as it comes."""

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, time, timedelta
from enum import Enum

from perdure.codec import decode
from perdure.codec.text import Json

__all__ = ["plain", "shown"]


def plain(encoded: Json) -> object:
    """An encoded value as plain JSON, without tags; for reading, not for decoding again."""
    try:
        return _plain(decode(encoded))
    except (ImportError, AttributeError, ValueError, TypeError):
        # Its classes cannot be imported here: the codec's own form says it all.
        return encoded


def shown(encoded: Json, width: int = 60) -> str:
    """One short line."""
    text = json.dumps(plain(encoded), ensure_ascii=False)
    return text if len(text) <= width else text[: width - 1] + "…"


def _plain(value: object) -> object:
    if value is None or isinstance(value, (str, int, float)):
        return value.value if isinstance(value, Enum) else value
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    dump = getattr(value, "model_dump", None)
    if callable(dump):
        model: object = dump(mode="json")
        return model
    if isinstance(value, Mapping):
        pairs: Mapping[object, object] = value
        return {str(_plain(key)): _plain(item) for key, item in pairs.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        items: list[object] = [*value]
        return [_plain(item) for item in items]
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    return _plain(value.value) if isinstance(value, Enum) else str(value)
