"""Equality as the codec promises it: same types, same values to the sign of zero, same sharing."""

from datetime import datetime, time, timezone
from decimal import Decimal
from enum import Enum
from functools import partial

from pydantic import BaseModel

from perdure.codec.narrow import is_deque, is_dict, is_list, is_set, is_tuple

_MATCH = ("regs", "string", "re", "pos", "endpos", "lastindex")


def alike(one: object, other: object) -> bool:
    """Whether two values are equal with types, and share inside them in the same places."""
    return _alike(one, other, {}, {})


def _alike(one: object, other: object, there: dict[int, int], back: dict[int, int]) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, (float, complex, Decimal, datetime, time, timezone)):
        return repr(one) == repr(other)  # `==` sees no sign of zero, no fold, no name of a zone
    if type(one).__name__ == "count":
        return repr(one) == repr(other)
    parts = _parts(one)
    if parts is None:
        return one == other
    if not isinstance(one, (tuple, frozenset)):
        if id(one) in there or id(other) in back:
            return there.get(id(one)) == id(other) and back.get(id(other)) == id(one)
        there[id(one)], back[id(other)] = id(other), id(one)
    others = _parts(other)
    assert others is not None
    return len(parts) == len(others) and all(
        _alike(a, b, there, back) for a, b in zip(parts, others, strict=True)
    )


def _parts(value: object) -> list[object] | None:
    if is_dict(value):
        extra = [getattr(value, "default_factory", None)]
        return [*[part for item in value.items() for part in item], *extra, *_state(value)]
    if is_set(value):
        return [*sorted(value, key=lambda item: (type(item).__name__, repr(item)))]
    if is_list(value) or is_tuple(value):
        return [*value, *_state(value)]
    if is_deque(value):
        return [value.maxlen, *value]
    if isinstance(value, partial):
        return [value.func, *value.args, value.keywords]
    if type(value).__name__ == "Match":
        return [getattr(value, name) for name in _MATCH]
    if isinstance(value, BaseException):
        return [value.args, *_state(value)]
    if type(value).__module__.endswith("samples") and not isinstance(value, type):
        return _state(value)
    return None


def _state(value: object) -> list[object]:
    if isinstance(value, Enum):
        return [value.name]
    if type(value).__module__ in {"builtins", "collections"} and not isinstance(value, Exception):
        return []
    own = {k: v for k, v in getattr(value, "__dict__", {}).items() if k != "__orig_class__"}
    names = [*getattr(type(value), "__slots__", ())]
    if isinstance(value, BaseModel):
        names = ["__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__"]
    return [tuple(own), *own.values(), *(getattr(value, n) for n in names if hasattr(value, n))]
