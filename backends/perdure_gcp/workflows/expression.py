"""The expression language of Workflows: its tree, and how it is printed.

`unparse` puts every operator in parentheses, so its text means the same under any precedence.
https://cloud.google.com/workflows/docs/reference/syntax/expressions
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal, assert_never, final

if TYPE_CHECKING:
    from perdure_gcp.workflows.values import Value

if TYPE_CHECKING:
    pass

__all__ = [
    "ARITHMETIC",
    "COMPARISONS",
    "Binary",
    "Call",
    "Constant",
    "Expression",
    "Field",
    "Index",
    "ListOf",
    "Name",
    "Operator",
    "Unary",
    "children",
    "dotted",
    "unparse",
    "with_children",
]

type Operator = Literal[
    "+", "-", "*", "/", "//", "%", "<", "<=", ">", ">=", "==", "!=", "in", "and", "or"
]

ARITHMETIC: Final = ("+", "-", "*", "/", "//", "%")
COMPARISONS: Final = ("<", "<=", ">", ">=", "==", "!=", "in")


@final
@dataclass(frozen=True, slots=True)
class Constant:
    """`1`, `1.5`, `"text"`, `true`, `null`; while a run evaluates, also the result of a call."""

    value: "Value"
    at: int = 0


@final
@dataclass(frozen=True, slots=True)
class Name:
    """A variable, or the first part of a function's name."""

    name: str
    at: int = 0


@final
@dataclass(frozen=True, slots=True)
class Field:
    """`base.name`."""

    base: "Expression"
    name: str
    at: int = 0


@final
@dataclass(frozen=True, slots=True)
class Index:
    """`base[key]`."""

    base: "Expression"
    key: "Expression"
    at: int = 0


@final
@dataclass(frozen=True, slots=True)
class ListOf:
    """`[a, b]`."""

    items: tuple["Expression", ...]
    at: int = 0


@final
@dataclass(frozen=True, slots=True)
class Unary:
    """`-a`, `not a`."""

    operator: Literal["-", "not"]
    operand: "Expression"
    at: int = 0


@final
@dataclass(frozen=True, slots=True)
class Binary:
    """`a + b`."""

    operator: Operator
    left: "Expression"
    right: "Expression"
    at: int = 0


@final
@dataclass(frozen=True, slots=True)
class Call:
    """`text.split(a, b)`, `my_subworkflow(a)`; arguments have no names in expressions."""

    function: str
    arguments: tuple["Expression", ...]
    at: int = 0


type Expression = Constant | Name | Field | Index | ListOf | Unary | Binary | Call


def unparse(expression: Expression) -> str:
    """The text between `${` and `}`."""
    match expression:
        case Constant(value=value):
            return json.dumps(value, ensure_ascii=False)
        case Name(name=name):
            return name
        case Field(base=base, name=name):
            return f"{unparse(base)}.{name}"
        case Index(base=base, key=key):
            return f"{unparse(base)}[{unparse(key)}]"
        case ListOf(items=items):
            return f"[{', '.join(map(unparse, items))}]"
        case Unary(operator="not", operand=operand):
            return f"(not {unparse(operand)})"
        case Unary(operand=operand):
            return f"(-{unparse(operand)})"
        case Binary(operator=operator, left=left, right=right):
            return f"({unparse(left)} {operator} {unparse(right)})"
        case Call(function=function, arguments=arguments):
            return f"{function}({', '.join(map(unparse, arguments))})"
        case _:
            assert_never(expression)


def children(expression: Expression) -> tuple[Expression, ...]:
    """The expressions right inside."""
    match expression:
        case Constant() | Name():
            return ()
        case Field(base=base):
            return (base,)
        case Index(base=base, key=key):
            return (base, key)
        case ListOf(items=items):
            return items
        case Unary(operand=operand):
            return (operand,)
        case Binary(left=left, right=right):
            return (left, right)
        case Call(arguments=arguments):
            return arguments
        case _:
            assert_never(expression)


def with_children(expression: Expression, parts: Sequence[Expression]) -> Expression:
    """The same node around other expressions, as many as `children` gives."""
    match expression:
        case Constant() | Name():
            return expression
        case Field():
            return replace(expression, base=parts[0])
        case Index():
            return replace(expression, base=parts[0], key=parts[1])
        case ListOf():
            return replace(expression, items=tuple(parts))
        case Unary():
            return replace(expression, operand=parts[0])
        case Binary():
            return replace(expression, left=parts[0], right=parts[1])
        case Call():
            return replace(expression, arguments=tuple(parts))
        case _:
            assert_never(expression)


def dotted(expression: Expression) -> str | None:
    """`a.b.c` as text; None when there is anything else in it."""
    if isinstance(expression, Name):
        return expression.name
    if isinstance(expression, Field):
        base = dotted(expression.base)
        return None if base is None else f"{base}.{expression.name}"
    return None
