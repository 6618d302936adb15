"""Depths in values: 0 is a value itself, 1 what it holds, up to `DEPTH` and all that is deeper.

An expression, its scope and a depth make a `Part`: the objects that lie that deep in its value.
"""

import ast
from collections.abc import Iterable

from perdure.frontend.meanings import Scope

__all__ = ["DEPTH", "DEPTHS", "Part", "anything", "down", "held", "operands", "up"]

DEPTH = 3
DEPTHS = tuple(range(DEPTH + 1))

type Part = tuple[ast.expr, Scope, int]


def up(depth: int) -> int:
    """The depth of a part's parts, in what the part is taken out of."""
    return min(depth + 1, DEPTH)


def down(depth: int) -> tuple[int, ...]:
    """The depths in a part of what lies that deep in the whole."""
    if depth == DEPTH:
        return (DEPTH - 1, DEPTH)
    return (depth - 1,) if depth else ()


def held(parts: Iterable[ast.expr], scope: Scope, depth: int) -> list[Part]:
    """The parts of a new container that holds these values."""
    found: list[Part] = []
    for part in parts:
        if isinstance(part, ast.Starred):
            found += [(part.value, scope, depth)] if depth else []
        else:
            found += ((part, scope, level) for level in down(depth))
    return found


def anything(nodes: Iterable[ast.expr], scope: Scope) -> list[Part]:
    """Whatever these values are, or hold."""
    return [(node, scope, depth) for node in nodes for depth in DEPTHS]


def operands(node: ast.Call) -> list[ast.expr]:
    """What a call may look into: its arguments, and what its function belongs to."""
    func = node.func.value if isinstance(node.func, ast.Attribute) else node.func
    return [func, *node.args, *(keyword.value for keyword in node.keywords)]
