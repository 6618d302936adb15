"""Values of a run: their types, sizes and JSON.

Values are never changed in place: an assignment to a part makes new containers along its path. So
every variable has a copy of its own, as documented, and nothing has to be copied.
https://cloud.google.com/workflows/docs/reference/syntax/datatypes
"""

import json
import math
import random
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, assert_never, cast, final

from perdure_gcp.workflows.problems import Doubts, failure

__all__ = [
    "Function",
    "Undocumented",
    "Value",
    "from_json",
    "from_python",
    "is_number",
    "size",
    "to_json",
    "type_name",
]


@final
class Function(NamedTuple):
    """A subworkflow or a predicate of the library as a value, as `predicate:` takes it."""

    name: str


@final
class Undocumented(NamedTuple):
    """A value that exists but whose content no page describes: it can be carried, not read."""

    what: str


type Value = (
    bool
    | int
    | float
    | str
    | bytes
    | list[Value]
    | dict[str, Value]
    | Function
    | Undocumented
    | None
)

SMALLEST: Final = -(2**63)
LARGEST: Final = 2**63 - 1


def type_name(value: Value) -> str:
    """What get_type gives. https://cloud.google.com/workflows/docs/reference/stdlib/expression-helpers"""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "double"
        case str():
            return "string"
        case bytes():
            return "bytes"
        case list():
            return "list"
        case dict():
            return "map"
        case Function():
            return "function"
        case Undocumented():
            return "undocumented"
        case _:
            assert_never(value)


def is_number(value: Value) -> bool:
    """Whether it is an integer or a double; booleans are neither."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def size(value: Value) -> int:
    """Bytes that the value counts in the memory of variables.

    https://cloud.google.com/workflows/docs/reference/syntax/variables: 8 bytes for a number or
    boolean; text, bytes and lists 8 and their content; maps 8 and their keys and values.
    """
    match value:
        case str():
            return 8 + len(value.encode("utf-8", "surrogatepass"))
        case bytes():
            return 8 + len(value)
        case list():
            return 8 + sum(map(size, value))
        case dict():
            return 8 + sum(size(key) + size(item) for key, item in value.items())
        case _:
            return 8


def to_json(
    value: Value, doubts: Doubts, order: random.Random | None = None, indent: str | None = None
) -> str:
    """Compact JSON text; `order` shuffles keys, whose order no page gives."""
    shape = _shape(value, doubts, order)
    if indent is not None:
        return json.dumps(shape, ensure_ascii=False, indent=indent)
    return json.dumps(shape, ensure_ascii=False, separators=(",", ":"))


def _shape(value: Value, doubts: Doubts, order: random.Random | None) -> object:
    match value:
        case float() if not math.isfinite(value):
            raise failure("ValueError", "a double that is no number has no JSON")
        case float() if value.is_integer():
            doubts.about("json-double", f"{value!r} is written")
            return value
        case list():
            return [_shape(item, doubts, order) for item in value]
        case dict():
            keys = list(value)
            if order is not None:
                order.shuffle(keys)
            return {key: _shape(value[key], doubts, order) for key in keys}
        case bytes():
            raise failure("TypeError", "bytes have no JSON")
        case Function():
            raise failure("TypeError", "functions have no JSON")
        case Undocumented(what=what):
            doubts.about("error-fields", what)
            return what
        case None | bool() | int() | float() | str():
            return value
        case _:
            assert_never(value)


def from_json(text: str | bytes, doubts: Doubts) -> Value:
    """The value of JSON text; a ValueError of the workflow when it is none."""

    def pairs(items: list[tuple[str, object]]) -> dict[str, object]:
        if len(dict(items)) < len(items):
            doubts.about("json-duplicate", "an object has a key twice")
        return dict(items)

    def number(digits: str) -> float:
        value = float(digits)
        if value.is_integer() or "e" in digits.lower():
            doubts.about("json-double", f"{digits} is read")
        return value

    try:
        read: object = json.loads(text, object_pairs_hook=pairs, parse_float=number)
    except (ValueError, UnicodeDecodeError) as error:
        raise failure("ValueError", f"this is no JSON: {error}") from None
    return from_python(read, doubts)


def from_python(value: object, doubts: Doubts) -> Value:
    """The value that a Python object stands for."""
    match value:
        case bool():
            return value
        case int():
            if not SMALLEST <= value <= LARGEST:
                doubts.about("json-number", f"{value} has more than 64 bits")
                return float(value)
            return value
        case None | float() | str() | bytes() | Function() | Undocumented():
            return value
        case Mapping():
            pairs = cast("Mapping[object, object]", value).items()  # nothing narrows further
            return {_key(key, doubts): from_python(item, doubts) for key, item in pairs}
        case Sequence():
            items = cast("Sequence[object]", value)  # nothing narrows further
            return [from_python(item, doubts) for item in items]
        case _:
            raise TypeError(f"{type(value).__name__} is no value of Workflows")


def _key(key: object, doubts: Doubts) -> str:
    if not isinstance(key, str):
        doubts.about("map-keys", f"{key!r} is a key")
    return str(key)
