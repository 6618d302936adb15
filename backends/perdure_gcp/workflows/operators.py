"""The operators of expressions, as their tables document them, and doubts about the rest.

https://cloud.google.com/workflows/docs/reference/syntax/datatypes
"""

import math
from collections.abc import Callable, Mapping
from typing import Final

from perdure_gcp.workflows.limits import value_of
from perdure_gcp.workflows.problems import Doubts, Limited, failure
from perdure_gcp.workflows.values import (
    LARGEST,
    SMALLEST,
    Undocumented,
    Value,
    is_number,
    type_name,
)

__all__ = ["binary", "double_text", "index", "negative", "text_of"]

type _Operator = Callable[[Value, Value, Doubts], Value]


def binary(operator: str, left: Value, right: Value, doubts: Doubts) -> Value:
    """`left operator right`; `and` and `or` are the evaluator's."""
    for operand in (left, right):
        if isinstance(operand, Undocumented):
            doubts.about("error-fields", operand.what)
    return _OPERATORS[operator](left, right, doubts)


def negative(operand: Value, doubts: Doubts) -> Value:
    """`-operand`."""
    if isinstance(operand, float):
        return -operand
    if isinstance(operand, int) and not isinstance(operand, bool):
        return _whole(-operand, doubts)
    raise failure("TypeError", f"a minus takes a number, not {type_name(operand)}")


def _whole(value: int, doubts: Doubts) -> int:
    if SMALLEST <= value <= LARGEST:
        return value
    doubts.about("overflow", str(value))
    return (value - SMALLEST) % 2**64 + SMALLEST


def _real(value: float, doubts: Doubts) -> float:
    if not math.isfinite(value):
        doubts.about("overflow", str(value))
    return value


def _numbers(operator: str, left: Value, right: Value) -> tuple[int | float, int | float]:
    if (
        isinstance(left, int | float)
        and isinstance(right, int | float)
        and is_number(left)
        and is_number(right)
    ):
        return left, right
    kinds = f"{type_name(left)} and {type_name(right)}"
    raise failure("TypeError", f"`{operator}` does not take {kinds}")


def _add(left: Value, right: Value, doubts: Doubts) -> Value:
    if isinstance(left, str) or isinstance(right, str):
        return _short(text_of(left, doubts) + text_of(right, doubts))
    first, second = _numbers("+", left, right)
    return _number(first + second, doubts)


def _short(text: str) -> str:
    most = value_of("text_bytes")
    if len(text) > most // 4 and len(text.encode("utf-8", "surrogatepass")) > most:
        raise Limited("ResourceLimitError", f"a text of more than {most:,} bytes")
    return text


def _number(value: float, doubts: Doubts) -> Value:
    return _whole(value, doubts) if isinstance(value, int) else _real(value, doubts)


def text_of(value: Value, doubts: Doubts) -> str:
    """The text that a number or boolean becomes next to a text, or by `string()`."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return double_text(value, doubts)
        case _:
            raise failure("TypeError", f"{type_name(value)} has no text")


def double_text(value: float, doubts: Doubts) -> str:
    """Doubles as text: plain decimals are in Google's examples (1.7, 80.6), the rest is open."""
    text = repr(value)
    if "e" in text or "n" in text or text.endswith(".0") or not 1e-3 <= abs(value) < 1e9:
        doubts.about("double-text", text)
        return text.removesuffix(".0")
    if len(text) > 16:
        doubts.about("double-text", f"{text} has many digits")
    return text


def _subtract(left: Value, right: Value, doubts: Doubts) -> Value:
    first, second = _numbers("-", left, right)
    return _number(first - second, doubts)


def _multiply(left: Value, right: Value, doubts: Doubts) -> Value:
    first, second = _numbers("*", left, right)
    return _number(first * second, doubts)


def _divide(left: Value, right: Value, doubts: Doubts) -> Value:
    first, second = _numbers("/", left, right)
    if second == 0:
        raise failure("ZeroDivisionError", "division by zero")
    try:
        return _real(first / second, doubts)
    except OverflowError:
        doubts.about("overflow", f"{first} / {second}")
        return math.inf


def _floor(left: Value, right: Value, doubts: Doubts) -> Value:
    first, second = _plain_division("//", left, right, doubts)
    return _number(first // second, doubts)


def _remainder(left: Value, right: Value, doubts: Doubts) -> Value:
    first, second = _plain_division("%", left, right, doubts)
    return _number(first % second, doubts)


def _plain_division(
    operator: str, left: Value, right: Value, doubts: Doubts
) -> tuple[int | float, int | float]:
    """Division of natural numbers is documented; signs and doubles are not."""
    first, second = _numbers(operator, left, right)
    if second == 0:
        raise failure("ZeroDivisionError", "division by zero")
    if isinstance(first, float) or isinstance(second, float) or first < 0 or second < 0:
        doubts.about("division", f"{first} {operator} {second}")
    return first, second


def _equal(left: Value, right: Value, doubts: Doubts) -> Value:
    return equal(left, right, doubts)


def equal(left: Value, right: Value, doubts: Doubts) -> bool:
    """`==`: of the same type, of numbers, and with null."""
    if left is None or right is None:
        return left is right
    if is_number(left) and is_number(right):
        return left == right
    if type(left) is not type(right):
        doubts.about("equality", f"{type_name(left)} == {type_name(right)}")
        return False
    if isinstance(left, list | dict | bytes):
        doubts.about("deep-equality", f"{type_name(left)} == {type_name(right)}")
    return left == right


def _different(left: Value, right: Value, doubts: Doubts) -> Value:
    return not equal(left, right, doubts)


def _ordered(operator: str, compare: Callable[[float, float], bool]) -> _Operator:
    def ordered(left: Value, right: Value, doubts: Doubts) -> Value:
        if isinstance(left, str) and isinstance(right, str):
            doubts.about("order", f'"{left}" {operator} "{right}"')
            return compare((left > right) - (left < right), 0)
        first, second = _numbers(operator, left, right)
        return compare(first, second)

    return ordered


def _contains(left: Value, right: Value, doubts: Doubts) -> Value:
    """`in`: a key of a map, or an element of a list.

    https://cloud.google.com/workflows/docs/reference/syntax/expressions
    """
    if isinstance(right, dict):
        if not isinstance(left, str):
            doubts.about("index-type", f"{type_name(left)} in a map")
            return False
        return left in right
    if isinstance(right, list):
        found = False
        for item in right:
            # An element of another type is simply not the one that is asked for.
            same = type(item) is type(left) or (is_number(item) and is_number(left))
            found = (same and equal(left, item, doubts)) or found
        return found
    raise failure("TypeError", f"`in` does not take {type_name(right)}")


def index(base: Value, key: Value, doubts: Doubts) -> Value:
    """`base[key]` and `base.key`."""
    for operand in (base, key):
        if isinstance(operand, Undocumented):
            doubts.about("error-fields", operand.what)
    if isinstance(base, dict):
        if isinstance(key, int) and not isinstance(key, bool):
            # https://cloud.google.com/workflows/docs/reference/syntax/iteration: keys 1, 2, 3
            key = str(key)
        if not isinstance(key, str):
            raise failure("TypeError", f"a key of a map is text, not {type_name(key)}")
        if key not in base:
            raise failure("KeyError", f"key not found: {key}")
        return base[key]
    if isinstance(base, list):
        return base[list_index(base, key, doubts)]
    if isinstance(base, str) and is_number(key):
        doubts.about("text-index", repr(base))
    raise failure("TypeError", f"{type_name(base)} has no elements")


def list_index(base: list[Value], key: Value, doubts: Doubts) -> int:
    """The index, which has to be of an element."""
    if isinstance(key, float):
        doubts.about("index-type", f"the index {key}")
    if not isinstance(key, int) or isinstance(key, bool):
        raise failure("TypeError", f"an index is an integer, not {type_name(key)}")
    if key < 0:
        doubts.about("negative-index", f"the index {key}")
    if not 0 <= key < len(base):
        raise failure("IndexError", f"index out of range: {key}")
    return key


_OPERATORS: Final[Mapping[str, _Operator]] = {
    "+": _add,
    "-": _subtract,
    "*": _multiply,
    "/": _divide,
    "//": _floor,
    "%": _remainder,
    "==": _equal,
    "!=": _different,
    "<": _ordered("<", lambda left, right: left < right),
    "<=": _ordered("<=", lambda left, right: left <= right),
    ">": _ordered(">", lambda left, right: left > right),
    ">=": _ordered(">=", lambda left, right: left >= right),
    "in": _contains,
}
