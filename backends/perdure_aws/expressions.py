"""Spelling of the few JSONata expressions that perdure emits.

Only forms whose value is the same on every evaluator: member access on objects that we made,
comparison of a string with a literal, `$merge` of objects, `$lookup`, `$parse` of JSON that a
site wrote.
"""

import json
from collections.abc import Mapping

from perdure.codec import Json

__all__ = [
    "INPUT",
    "RESULT",
    "along",
    "cancelled",
    "cause",
    "equals",
    "expression",
    "literal",
    "member",
]

INPUT = "$states.input"
RESULT = "$states.result"
SITE_ERROR = "$parse($parse($states.errorOutput.Cause).errorMessage)"
"""What a failing site says: Lambda puts the message of its exception into the cause, as JSON."""


def expression(text: str) -> str:
    """The field value that Step Functions evaluates."""
    return "{% " + text + " %}"


def literal(value: Json) -> str:
    """A JSON value as JSONata; strings in single quotes where nothing in them needs an escape."""
    match value:
        case str() if value.isprintable() and "'" not in value and "\\" not in value:
            return f"'{value}'"
        case Mapping():
            return "{" + ", ".join(f"{literal(k)}: {literal(v)}" for k, v in value.items()) + "}"
        case _:
            return json.dumps(value, ensure_ascii=False)


def member(source: str, name: str) -> str:
    """A member of an object by a literal name."""
    return f"{source}.{name}" if name.isidentifier() else f"$lookup({source}, {literal(name)})"


def equals(source: str, value: str) -> str:
    """Whether a member is this text; false when there is none."""
    return f"{source} = {literal(value)}"


def along(at: str, bind: str | None, name: str, value: str, **more: str) -> str:
    """The input of the state after a native one: where its site begins, and what it binds first.

    `value` is an expression; `name` says what it is: error, received, slept, outcomes, won.
    `more` are texts: `origin` is the pc of the native operation, `kind` that of a fork.
    """
    texts = "".join(f", '{key}': {literal(text)}" for key, text in more.items())
    carried = f"{{'bind': {literal(bind)}, '{name}': {value}{texts}}}"
    return expression(f"$merge([{INPUT}, {{'at': {literal(at)}, 'along': {carried}}}])")


def cancelled() -> str:
    """The encoded CancelledError that whoever cancels a wait sends as the cause."""
    return "$parse($states.errorOutput.Cause)"


def cause(name: str) -> str:
    """The input of a state reached because a site failed: a member of what it said."""
    return f"{SITE_ERROR}.{name}"
