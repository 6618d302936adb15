"""Pure functions that call themselves on every path: such recursion has no end.

A recursive function comes in; whether all functions of its cycle always make the next call of the
cycle goes out. How deep recursion with a way out goes is a matter of its data, and is not judged.
"""

import ast
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from perdure.frontend.state import State
from perdure.ir import Ref

if TYPE_CHECKING:
    from perdure.frontend.walk import Walk

__all__ = ["never_ends"]


def never_ends(walk: "Walk", state: State) -> bool:
    """Whether the function, and each one that it recurses through, always recurses."""
    cycle = {ref for ref in _reached(walk, state.ref) if state.ref in _reached(walk, ref)}
    return bool(cycle) and all(_always_recurses(walk.states[ref], cycle) for ref in cycle)


def _reached(walk: "Walk", start: Ref) -> set[Ref]:
    found: set[Ref] = set()
    pending = [*walk.states[start].callees]
    while pending:
        ref = pending.pop()
        if ref not in found and ref in walk.states:
            found.add(ref)
            pending.extend(walk.states[ref].callees)
    return found


def _always_recurses(state: State, cycle: set[Ref]) -> bool:
    calls = {id(call.node) for call in state.calls if cycle.intersection(call.refs)}
    node = state.node
    if isinstance(node, ast.Lambda):
        return _evaluates(node.body, calls)
    return _block(node.body, calls) is True


def _block(body: Sequence[ast.stmt], calls: set[int]) -> bool | None:
    """True: always makes one of the calls; False: may leave the function without; None: goes on."""
    for statement in body:
        found = _statement(statement, calls)
        if found is not None:
            return found
    return None


def _statement(statement: ast.stmt, calls: set[int]) -> bool | None:
    match statement:
        case ast.If(test=test, body=body, orelse=orelse):
            if _evaluates(test, calls):
                return True
            ways = {_block(body, calls), _block(orelse, calls)}
            return False if False in ways else (True if ways == {True} else None)
        case ast.For(iter=iterable):
            return _evaluates(iterable, calls) or _leaves(statement)
        case ast.While(test=test):
            return _evaluates(test, calls) or _leaves(statement)
        case ast.With(items=items, body=body):
            opened = any(_evaluates(item.context_expr, calls) for item in items)
            return True if opened else _block(body, calls)
        case ast.Return() | ast.Raise():
            return any(_evaluates(part, calls) for part in _expressions(statement))
        case ast.Try() | ast.TryStar() | ast.Match():
            return _leaves(statement)
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return None
        case _:
            return True if any(_evaluates(p, calls) for p in _expressions(statement)) else None


def _leaves(statement: ast.stmt) -> bool | None:
    """A block that may not run may leave the function; else what follows decides."""
    ways_out = ast.Return | ast.Raise
    return False if any(isinstance(part, ways_out) for part in ast.walk(statement)) else None


def _expressions(statement: ast.stmt) -> Iterable[ast.expr]:
    return (part for part in ast.iter_child_nodes(statement) if isinstance(part, ast.expr))


def _evaluates(node: ast.expr, calls: set[int]) -> bool:
    """Whether evaluating the expression to its end always makes one of the calls."""
    pending: list[ast.AST] = [node]
    while pending:
        part = pending.pop()
        if id(part) in calls:
            return True
        match part:
            case ast.BoolOp(values=[first, *_]):
                pending.append(first)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                if _evaluates(body, calls) and _evaluates(orelse, calls):
                    return True
                pending.append(test)
            case ast.Compare(left=left, comparators=[first, *_]):
                pending += (left, first)
            case ast.Lambda() | ast.GeneratorExp():
                pass
            case ast.ListComp(generators=[first, *_]) | ast.SetComp(generators=[first, *_]):
                pending.append(first.iter)
            case ast.DictComp(generators=[first, *_]):
                pending.append(first.iter)
            case _:
                pending.extend(ast.iter_child_nodes(part))
    return False
