"""JSON from outside, whose numbers keep the digits they were written with.

A declared Decimal is made of the text; to everything else it is the float that `json` reads.
"""

import json
from typing import Self, final, override

from perdure.codec.narrow import is_dict, is_list

__all__ = ["Written", "holds_written", "read_json"]


@final
class Written(float):
    """A float, and how it was written."""

    __slots__ = ("text",)
    text: str

    @override
    def __new__(cls, text: str) -> Self:
        made = super().__new__(cls, text)
        made.text = text
        return made


def read_json(content: str | bytes) -> object:
    """`json.loads`; ValueError and RecursionError as it raises them."""
    value: object = json.loads(content, parse_float=Written)
    return value


def holds_written(value: object) -> bool:
    """Whether a value was read from JSON with such a number: then all of it is plain JSON."""
    pending, seen = [value], set[int]()  # a live value may hold itself
    while pending:
        one = pending.pop()
        if isinstance(one, Written):
            return True
        if id(one) in seen:
            continue
        if is_dict(one):
            seen.add(id(one))
            pending.extend(one.values())
        elif is_list(one):
            seen.add(id(one))
            pending.extend(one)
    return False
