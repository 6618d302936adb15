"""Loops of a flow at whose head a run may go on under an empty history, and what lives there.

These are loops with operations in them that stand in the flow's body itself, or there in the body
of a `try` or in an `if`; every value that is needed later has to be bound for certain, and no
function of the flow may share its variables.

A loop elsewhere that nothing in it ends would make a history long without end: `endless` finds it.
"""

import ast
from collections.abc import Iterator, Mapping
from typing import NamedTuple, cast

from perdure.ir import (
    Block,
    Call,
    Deadline,
    Exit,
    ExitKind,
    For,
    Fork,
    Function,
    Group,
    If,
    Op,
    OpKind,
    Program,
    Pure,
    Slot,
    Stmt,
    Try,
    Unlowered,
    While,
)
from perdure.liveness import liveness
from perdure.passes.blocks import children

__all__ = ["Head", "endless", "labels_in", "loop_heads"]

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
    """The loops within a `try` or an `if`."""
    match statement:
        case Try(body=body):
            within = body
        case If(then=then, orelse=orelse):
            within = (*then, *orelse)
        case _:
            return []
    found: list[str] = []
    for inner in within:
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
            case If(then=then, orelse=orelse):
                yield from _loops(then, bound)
                yield from _loops(orelse, bound)
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


def endless(program: Program) -> Iterator[While | For]:
    """Loops with operations that nothing ends, where a run cannot hand over."""
    for function in program.functions:
        nested = any(
            other.ref.qualname.rpartition(".")[0] == function.ref.qualname
            for other in program.functions
        )
        heads = loop_heads(function) if function.kind == "flow" and not nested else {}
        for loop in _endless(function.body):
            if id(loop) not in heads:
                yield loop


def _endless(block: Block) -> Iterator[While | For]:
    for statement in block:
        if isinstance(statement, While | For) and _never_ends(statement):
            if _has_operations(statement):
                yield statement
        else:
            for inner in children(statement):
                yield from _endless(inner)


def _never_ends(loop: While | For) -> bool:
    match loop:
        case While(test=ast.Constant(value=value)) if value:
            pass
        case For(iterable=ast.Call(func=ast.Attribute(attr="count") | ast.Name(id="count"))):
            pass
        case _:
            return False
    return not any(_leaves(statement, inner=False) for statement in loop.body)


def _leaves(statement: Stmt, *, inner: bool) -> bool:
    """Whether it may end the loop around it; `break` of a loop in it does not."""
    match statement:
        case Exit(kind=kind):
            return kind in (ExitKind.RETURN, ExitKind.RAISE) or (
                kind is ExitKind.BREAK and not inner
            )
        case Unlowered() | Deadline():
            return True
        case Op(kind=OpKind.EVENT, arguments=arguments):
            # One that times out leaves by its error.
            return any(argument.name == "timeout" for argument in arguments)
        case Pure(code=code):
            return any(isinstance(each, ast.Raise | ast.Assert) for each in code)
        case _:
            inner = inner or isinstance(statement, While | For)
            return any(
                _leaves(each, inner=inner) for block in children(statement) for each in block
            )


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
