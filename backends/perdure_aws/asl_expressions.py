"""Checks of the JSONata in a definition: what CreateStateMachine refuses, and what no tool sees.

In: one template (any JSON value of a field) and the `$states` fields that may be read there.
Out: pairs of a rule's code and a message.
"""

import re
from collections.abc import Iterator
from typing import Final

from perdure_aws.json_shapes import is_array, is_object
from perdure_aws.jsonata_syntax import (
    Binary,
    Call,
    Context,
    Expression,
    Field,
    JsonataSyntaxError,
    Node,
    Other,
    Variable,
    parse,
    parts,
    walk,
)
from perdure_aws.limits import value_of

__all__ = ["FUNCTIONS", "expressions", "is_expression", "problems", "source_of"]

FUNCTIONS: Final = frozenset((
    *("sum", "count", "max", "min", "average", "string"),
    *("substring", "substringBefore", "substringAfter", "lowercase", "uppercase", "length"),
    *("trim", "pad", "match", "contains", "replace", "split"),
    *("join", "formatNumber", "formatBase", "formatInteger", "parseInteger", "number"),
    *("floor", "ceil", "round", "abs", "sqrt", "power"),
    *("random", "boolean", "not", "map", "zip", "filter"),
    *("single", "reduce", "sift", "keys", "lookup", "append"),
    *("exists", "spread", "merge", "reverse", "each", "error"),
    *("assert", "type", "sort", "shuffle", "distinct", "base64encode"),
    *("base64decode", "encodeUrlComponent", "encodeUrl", "decodeUrlComponent", "decodeUrl", "now"),
    *("millis", "fromMillis", "toMillis", "clone", "partition", "range"),
    *("hash", "uuid", "parse"),
))  # fmt: skip
"""JSONata 2.0.6's functions without `$eval`, and the six that Step Functions adds."""

_STATES: Final = frozenset({"input", "context", "result", "errorOutput"})
_OPEN: Final = re.compile(r"^\{%")
_CLOSE: Final = re.compile(r"%\}$")


def is_expression(text: str) -> bool:
    """Whether Step Functions evaluates this string."""
    return text.startswith("{%") and text.endswith("%}") and len(text) >= 4


def source_of(text: str) -> str:
    """The JSONata between the delimiters."""
    return text[2:-2].strip()


def expressions(template: object) -> Iterator[str]:
    """The sources of all expressions in a template that can be parsed or not."""
    if isinstance(template, str):
        if is_expression(template):
            yield source_of(template)
    elif is_object(template):
        for value in template.values():
            yield from expressions(value)
    elif is_array(template):
        for value in template:
            yield from expressions(value)


def problems(template: object, readable: frozenset[str]) -> Iterator[tuple[str, str]]:
    """What is wrong in the expressions of a template."""
    if isinstance(template, str):
        yield from _text_problems(template, readable)
    elif is_object(template):
        for value in template.values():
            yield from problems(value, readable)
    elif is_array(template):
        for value in template:
            yield from problems(value, readable)


def _text_problems(text: str, readable: frozenset[str]) -> Iterator[tuple[str, str]]:
    if not is_expression(text):
        if _OPEN.search(text) or _CLOSE.search(text):
            yield (
                "HALF_EXPRESSION",
                f"a string must have both `{{%` and `%}}` or neither: {text[:60]!r}",
            )
        return
    source = source_of(text)
    try:
        expression = parse(source)
    except (JsonataSyntaxError, RecursionError) as error:
        yield "INVALID_JSONATA", f"{error} in {source[:80]!r}"
        return
    yield from _expression_problems(expression, readable)


def _expression_problems(
    expression: Expression, readable: frozenset[str]
) -> Iterator[tuple[str, str]]:
    for read in _without_document(expression.root):
        what = f"`{read.name}`" if isinstance(read, Context) else f"the bare field `{read.name}`"
        yield "NO_CONTEXT_DOCUMENT", f"{what} reads a context document, and there is none"
    for node in walk(expression.root):
        if isinstance(node, Call) and _named(node.function, "eval"):
            yield "EVAL", "`$eval` is not available"
        if isinstance(node, Binary) and node.operator == "." and _named(node.left, "states"):
            yield from _states_problems(node.right, readable)
    if "context.Task" not in readable and _reads(expression.root, "Task"):
        yield "TASK_TOKEN", "`$states.context.Task` is there for .waitForTaskToken and .sync only"
    if "context.Map" not in readable and _reads(expression.root, "Map"):
        yield "MAP_ITEM", "`$states.context.Map` can be read in ItemSelector only"
    if _depth(expression.root) > value_of("expression_depth"):
        yield "TOO_DEEP", f"the expression is nested deeper than {value_of('expression_depth')}"


def _states_problems(read: Node, readable: frozenset[str]) -> Iterator[tuple[str, str]]:
    name = read.name if isinstance(read, Field) else None
    if name is None:
        return
    if name not in _STATES:
        yield "UNKNOWN_STATES_FIELD", f"`$states.{name}` does not exist"
    elif name not in readable:
        yield "UNSUPPORTED_JSONATA_EXPRESSION", f"`$states.{name}` cannot be read here"


def _named(node: Node, name: str) -> bool:
    return isinstance(node, Variable) and node.name == name


def _reads(root: Node, name: str) -> bool:
    """Whether `$states.context.<name>` occurs."""
    return any(
        isinstance(node, Binary)
        and node.operator == "."
        and isinstance(node.right, Field)
        and node.right.name == name
        and isinstance(node.left, Binary)
        and _named(node.left.left, "states")
        and isinstance(node.left.right, Field)
        and node.left.right.name == "context"
        for node in walk(root)
    )


def _without_document(node: Node) -> Iterator[Context | Field]:
    """Reads of the context document where nothing has put a value in its place."""
    match node:
        case Context() | Field():
            yield node
        case Binary(operator="." | "[" | "@" | "#", left=left):
            yield from _without_document(left)
        case Other(kind="order" | "group", parts=(first, *_)):
            yield from _without_document(first)
        case Other(kind="transform"):
            return
        case _:
            for part in parts(node):
                yield from _without_document(part)


def _depth(root: Node) -> int:
    deepest, level = 0, [root]
    while level:
        deepest += 1
        level = [part for node in level for part in parts(node)]
    return deepest
