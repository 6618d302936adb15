"""Objects of the standard library that flows keep between operations: match objects, counters,
modules. Each pair writes and reads one tagged form.
"""

import sys
from itertools import count, islice
from types import ModuleType
from typing import TYPE_CHECKING, Any

from perdure.codec.atoms import read_pattern, write_pattern
from perdure.codec.faults import CorruptValue, UncodableError
from perdure.codec.heap import Decoder, Encoder, items_of, part, text_of, whole
from perdure.codec.text import Json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from re import Match, Pattern

type Node = dict[str, Json]
type AnyMatch = "Match[Any]"  # of text or of bytes, which the types of `re` keep apart


def write_match(encoder: Encoder, value: AnyMatch) -> Json:
    """`{"@": "match", "v": text, "p": pattern, "w": [pos, endpos, way]}`.

    A match is what its pattern finds again in its text; `way` is how: "match", "fullmatch", or
    which one of those that `finditer` gives (`search` gives the first).
    """
    ref = encoder.seen(value)
    if ref is not None:
        return ref
    node: Node = {"@": "match", "w": [value.pos, value.endpos, _way(value)]}
    encoder.memo[id(value)] = node
    node["v"] = encoder.write(value.string)
    node["p"] = write_pattern(encoder, value.re)
    return node


def _way(value: AnyMatch) -> Json:
    place = (value.regs, value.lastindex)
    for way in ("match", "fullmatch"):
        found = _find(value.re, value.string, value.pos, value.endpos, way)
        if found is not None and (found.regs, found.lastindex) == place:
            return way
    pattern: Pattern[str] = value.re  # or of bytes: the types of `re` take one of them at a time
    for number, found in enumerate(pattern.finditer(value.string, value.pos, value.endpos)):
        if (found.regs, found.lastindex) == place:
            return number
    raise UncodableError("Match", "its pattern does not find it again; take its groups")


def _find(
    pattern: "Pattern[Any]", text: str | bytes, pos: int, end: int, way: Json
) -> AnyMatch | None:
    if way == "match":
        return pattern.match(text, pos, end)
    if way == "fullmatch":
        return pattern.fullmatch(text, pos, end)
    every: Iterator[Match[Any]] = pattern.finditer(text, pos, end)
    return next(islice(every, whole(way), None), None)


def read_match(decoder: Decoder, node: Node, number: int) -> object:
    """Found again."""
    text = decoder.read(part(node, "v"))
    if not isinstance(text, str | bytes):
        raise CorruptValue("what a match was found in is no text")
    pattern: Pattern[Any] = read_pattern(decoder, node_of(part(node, "p")), 0)
    pos, end, way = items_of(node, "w")
    found = _find(pattern, text, whole(pos), whole(end), way)
    if found is None:
        raise CorruptValue("the pattern of a match does not match")
    decoder.heap[number] = found
    return found


def node_of(value: Json) -> Node:
    """A tagged form inside another."""
    if not isinstance(value, dict):
        raise CorruptValue("a tagged form belongs here")
    return value


def write_count(encoder: Encoder, value: "count[int]") -> Json:
    """`{"@": "count", "v": ["3", "1"]}`: the next number and the step, as their `repr`."""
    ref = encoder.seen(value)
    if ref is not None:
        return ref
    parts = repr(value).removeprefix("count(").removesuffix(")").split(", ")  # no other way tells
    try:
        numbers = [_number(text) for text in parts]
    except ValueError:
        raise UncodableError("count", "it counts in something else than int or float") from None
    node: Node = {"@": "count", "v": [repr(item) for item in [*numbers, 1][:2]]}
    encoder.memo[id(value)] = node
    return node


def read_count(decoder: Decoder, node: Node, number: int) -> object:
    """Going on from there."""
    start, step = (_number(str(item)) for item in items_of(node))
    made = decoder.heap[number] = count(start, step)
    return made


def _number(text: str) -> int | float:
    return int(text) if text.lstrip("-").isdecimal() else float(text)


def write_module(encoder: Encoder, value: ModuleType) -> Json:
    """`{"@": "module", "v": "json"}`: what `import json` inside a function binds."""
    if sys.modules.get(value.__name__) is not value:
        raise UncodableError("module", f"`{value.__name__}` cannot be imported")
    return {"@": "module", "v": value.__name__}


def read_module(decoder: Decoder, node: Node, number: int) -> object:
    """Imported."""
    name = text_of(node)
    __import__(name)
    return sys.modules[name]
