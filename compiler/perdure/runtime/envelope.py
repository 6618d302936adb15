"""What crosses between an engine that replays and the code it runs: `{"v": 1, "data": "<JSON>"}`.

The codec's data travels as text, because hosts take JSON apart on the way: dates in strings are
rewritten, keys reordered.
"""

import json
from collections.abc import Mapping
from typing import Final, TypeGuard

from perdure.codec.text import Json

__all__ = ["VERSION", "is_envelope", "pack", "size_of", "unpack"]

VERSION: Final = 1


def pack(data: Mapping[str, Json]) -> dict[str, Json]:
    """The envelope of some data."""
    return {"v": VERSION, "data": json.dumps(data, ensure_ascii=False, separators=(",", ":"))}


def size_of(envelope: Json) -> int:
    """The bytes of an envelope as SDKs write it: in ASCII, each other character as an escape."""
    return len(json.dumps(envelope))


def is_envelope(value: object) -> bool:
    """Whether `unpack` takes it."""
    if not _is_object(value):
        return False
    return value.get("v") == VERSION and isinstance(value.get("data"), str)


def unpack(envelope: object) -> dict[str, Json]:
    """The data of an envelope; ValueError if it is none, or newer than this."""
    if not _is_object(envelope):
        raise ValueError(f"not an envelope of perdure: {envelope!r}")
    version, text = envelope.get("v"), envelope.get("data")
    if version != VERSION or not isinstance(text, str):
        raise ValueError(f"envelope version {version!r}: this perdure reads {VERSION}")
    data: dict[str, Json] = json.loads(text)
    return data


def _is_object(value: object) -> TypeGuard[dict[str, object]]:
    """JSON objects have text as keys."""
    return isinstance(value, dict)
