"""The JSON that the codec speaks, and its one canonical text.

Comes in: JSON as Python data. Goes out: compact UTF-8 text in the order of the data, its digest,
and data again. The same data gives the same bytes under every Python version.
"""

from functools import cache
from typing import TYPE_CHECKING

from perdure.codec.faults import NewerVersion

if TYPE_CHECKING:
    from json import JSONDecoder, JSONEncoder

type Json = bool | int | float | str | list[Json] | dict[str, Json] | None

VERSION = 1


def check_version(version: object, holder: str = "value codec") -> None:
    """Refuse JSON written by a later codec; `holder` names the format that carries the number."""
    if not isinstance(version, int) or version > VERSION:
        raise NewerVersion(
            f"{holder} version {version} is newer than this perdure reads ({VERSION}); "
            "upgrade perdure"
        )


@cache
def _encoder() -> "JSONEncoder":
    from json import JSONEncoder

    return JSONEncoder(
        ensure_ascii=False, allow_nan=False, separators=(",", ":"), check_circular=False
    )


@cache
def _decoder() -> "JSONDecoder":
    from json import JSONDecoder

    return JSONDecoder()


def dumps(data: Json) -> str:
    """Canonical text: no spaces, keys in their order, every character as itself."""
    return _encoder().encode(data)


def loads(text: str) -> Json:
    """The data of a JSON text; ValueError when it is none."""
    data: Json = _decoder().decode(text)
    return data


def digest(data: Json) -> str:
    """SHA-256 of the canonical text, as 64 hexadecimal digits."""
    from hashlib import sha256

    return sha256(dumps(data).encode()).hexdigest()
