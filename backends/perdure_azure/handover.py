"""Loops of a flow at whose head a run may go on under an empty history, and what lives there.

These are loops with operations in them that stand in the flow's body itself or in the body of a
`try` there; every value that is needed later has to be bound for certain, and no function of the
flow may share its variables.
"""

import ast
from collections.abc import Iterator, Mapping
from typing import NamedTuple, cast

from perdure.ir import Block, Call, For, Fork, Function, Group, Op, Pure, Slot, Stmt, Try, While
from perdure.liveness import liveness
from perdure.passes.blocks import children

__all__ = ["Head", "labels_in", "loop_heads"]

SHORT = 50
"""A loop over a `range` of so many, or over a display, never makes a history long."""


class Head(NamedTuple):
    """`live`: the slots whose values are needed from the loop on, in the order of their names."""

    label: str
    live: tuple[Slot, ...]


def loop_heads(function: Function) -> dict[int, Head]:
    """By identity of the loop."""
    alive = liveness(function)
    if alive.cells:
        return {}
    constant = frozenset(_constants(function))
    bound = {parameter.name for parameter in function.parameters}
    heads: dict[int, Head] = {}
    for loop, certain in _loops(function.body, bound):
        live = alive.before(loop) & function.slots - constant
        label = loop.label
        taken = {head.label for head in heads.values()}
        while label in taken:
            label += "+"
        if live <= certain:
            heads[id(loop)] = Head(label, tuple(sorted(live)))
    return heads


def _constants(function: Function) -> Iterator[Slot]:
    """Parameters whose value the run's input has as well: never bound again, never changed."""
    bound = set(_possibly_bound(function.body))
    for parameter in function.parameters:
        match parameter.annotation:
            case ast.Name(id="int" | "str" | "float" | "bool" | "bytes"):
                if parameter.name not in bound:
                    yield parameter.name
            case _:
                pass


def _possibly_bound(node: object) -> Iterator[Slot]:
    """Every name that a node of the IR has as a target, and more: all text that stands in it."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, tuple):
        for part in cast("tuple[object, ...]", node):
            yield from _possibly_bound(part)
    elif isinstance(node, ast.AST):
        for inner in ast.walk(node):
            if isinstance(inner, ast.Name) and not isinstance(inner.ctx, ast.Load):
                yield inner.id
            elif isinstance(inner, ast.MatchAs | ast.MatchStar) and inner.name:
                yield inner.name


def labels_in(statement: Stmt, heads: Mapping[int, Head]) -> list[str]:
    """The loops within a `try`."""
    if not isinstance(statement, Try):
        return []
    found: list[str] = []
    for inner in statement.body:
        head = heads.get(id(inner))
        found += [head.label] if head is not None else labels_in(inner, heads)
    return found


def _loops(block: Block, bound: set[Slot]) -> Iterator[tuple[While | For, frozenset[Slot]]]:
    """Loops that may be long, each with what is bound for certain at its head."""
    bound = set(bound)
    for statement in block:
        match statement:
            case While() | For() if _has_operations(statement) and not _is_short(statement):
                yield statement, frozenset(bound)
            case Try(body=body):
                yield from _loops(body, bound)
            case Pure(code=code):
                bound |= {name for part in code for name in _bound_by(part)}
                bound -= {name for part in code for name in _deleted(part)}
            case Op(target=str(target)) | Call(target=str(target)) | Fork(target=str(target)):
                bound.add(target)
            case _:
                pass


def _has_operations(statement: Stmt) -> bool:
    match statement:
        case Op() | Call() | Fork() | Group():
            return True
        case _:
            return any(_has_operations(each) for block in children(statement) for each in block)


def _is_short(loop: While | For) -> bool:
    match loop:
        case For(iterable=ast.Call(func=ast.Name(id="range"), args=[ast.Constant(value=int(n))])):
            return n <= SHORT
        case For(iterable=ast.List() | ast.Tuple() | ast.Constant()):
            return True
        case _:
            return False


def _bound_by(statement: ast.stmt) -> Iterator[Slot]:
    match statement:
        case ast.Assign(targets=targets):
            parts = targets
        case ast.AnnAssign(target=target, value=ast.expr()):
            parts = [target]
        case _:
            return
    for part in parts:
        for node in ast.walk(part):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id


def _deleted(statement: ast.stmt) -> Iterator[Slot]:
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Del):
            yield node.id
