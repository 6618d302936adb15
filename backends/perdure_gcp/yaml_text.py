"""A workflow's tree as YAML that every parser reads alike.

All texts are single-quoted, so YAML 1.1 and 1.2 agree on them, and `${...}` needs no other care;
keys are plain where they are plain words. https://yaml.org/spec/1.2.2/#732-single-quoted-style
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from perdure.codec import Json

__all__ = ["to_yaml"]

_PLAIN_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WORDS: Final = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null"))


def to_yaml(document: Mapping[str, Json]) -> str:
    """The text; comments are not in the tree and so not here."""
    return "\n".join(_entries(document, 0)) + "\n"


def _entries(document: Mapping[str, Json], depth: int) -> Iterator[str]:
    pad = "  " * depth
    for key, value in document.items():
        yield from _put(f"{pad}{_key(key)}:", value, depth + 1)


def _items(items: Sequence[Json], depth: int) -> Iterator[str]:
    pad = "  " * depth
    for item in items:
        if isinstance(item, Mapping) and item:
            first, *rest = _entries(item, depth + 1)
            yield f"{pad}- {first.lstrip()}"
            yield from rest
        else:
            yield from _put(f"{pad}-", item, depth + 1)


def _put(before: str, value: Json, depth: int) -> Iterator[str]:
    if isinstance(value, dict) and value:
        if _is_short(value):
            yield f"{before} {_flow(value)}"
            return
        yield before
        yield from _entries(value, depth)
    elif isinstance(value, list) and value:
        yield before
        yield from _items(value, depth)
    else:
        yield f"{before} {_flow(value)}"


def _is_short(value: dict[str, Json]) -> bool:
    """A map of plain values in few characters stays on its line."""
    flat = not any(isinstance(item, Mapping | list) and item for item in value.values())
    return flat and len(_flow(value)) <= 60 and "next" not in value


def _flow(value: Json) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case str():
            return _text(value)
        case Mapping():
            return "{" + ", ".join(f"{_key(k)}: {_flow(v)}" for k, v in value.items()) + "}"
        case _:
            return "[" + ", ".join(map(_flow, value)) + "]"


def _key(key: str) -> str:
    return key if _PLAIN_KEY.fullmatch(key) and key.lower() not in _WORDS else _text(key)


def _text(text: str) -> str:
    if text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character.isprintable():
        return character
    number = ord(character)
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"
