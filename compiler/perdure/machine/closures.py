"""Refuses functions that would see a variable change after their block.

Before: `fs.append(lambda: x)` in one block, `x = 2` in a later one: CPython's lambda sees 2.
After: the program is refused there. A block's locals are its own, so its functions keep the cells
they captured.

Functions that their callee is done with (`sorted(..., key=lambda ...)`) do not count.
"""

import ast
from collections.abc import Iterator

from perdure.ir import Slot
from perdure.machine import ir
from perdure.machine.effects import code_effects, effects, facts_effects
from perdure.machine.emit import scopes
from perdure.machine.escapes import closures
from perdure.machine.graph import edges
from perdure.machine.ir import Machines, Node, Pc, Refusal, Scope
from perdure.machine.trees import code_trees
from perdure.source import Span
from perdure.uses import captured_names, uses

__all__ = ["refuse_rebound"]

_AWAITED = frozenset(
    [
        "ask",
        "cancel",
        "event",
        "gather",
        "progress",
        "quorum",
        "race",
        "reply",
        "result",
        "send",
        "sleep",
        "start",
        "wait_for",
    ]
)
"""Natives of `__perdure__` that give something to await."""


def refuse_rebound(machines: Machines) -> Machines:
    """The same machines, with a refusal for each such function."""
    found = [
        refusal
        for machine in machines.machines
        for scope in scopes(machine.root)
        for refusal in _scope(scope)
    ]
    return machines._replace(refusals=tuple(dict.fromkeys((*machines.refusals, *found))))


def _scope(scope: Scope) -> Iterator[Refusal]:
    for node in scope.nodes.values():
        captured, written = _captured(node)
        for native in _natives(node):
            yield Refusal(f"a function value that calls `{native}`", node.span)
        if written:
            yield Refusal("`nonlocal` in a function without operations", _writer(node))
        elif captured and (changed := captured & _written_later(scope, node)):
            name = sorted(changed)[0]
            yield Refusal(f"a function over `{name}`, which is bound again later", node.span)


def _writer(node: Node) -> Span:
    """The `nonlocal` statement itself: a block's span begins with its first statement."""
    if not isinstance(node, ir.Catch | ir.Reraise):
        for function in closures(code_trees(node)):
            for inner in ast.walk(function):
                if isinstance(inner, ast.Nonlocal):
                    line, end = inner.lineno, inner.end_lineno or inner.lineno
                    last = inner.end_col_offset or inner.col_offset
                    return Span(node.span.file, line, inner.col_offset, end, last)
    return node.span


def _natives(node: Node) -> Iterator[str]:
    """Operations other than steps that functions made here call: an awaited value is a step."""
    if isinstance(node, ir.Catch | ir.Reraise):
        return
    for function in closures(code_trees(node)):
        if not isinstance(function, ast.Lambda | ast.FunctionDef):
            continue
        for inner in ast.walk(function):
            match inner:
                case ast.Call(ast.Attribute(ast.Name(id="__perdure__"), name)) if name in _AWAITED:
                    yield name
                case _:
                    pass


def _captured(node: Node) -> tuple[frozenset[Slot], frozenset[Slot]]:
    """Slots that functions made here capture, and those that they write."""
    if isinstance(node, ir.Catch | ir.Reraise):
        return frozenset(), frozenset()
    reads: set[str] = set()
    writes: set[str] = set()
    rebuilt = [inner for one in node.frame.functions.values() for inner in ast.walk(one.code)]
    known = {id(one) for one in rebuilt}
    for function in closures(code_trees(node)):
        if id(function) in known:
            continue
        if isinstance(function, ast.GeneratorExp):
            reads |= uses([function]).reads
            continue
        seen, bound = captured_names(function)
        reads |= seen
        writes |= bound
    names = node.frame.names
    return (
        frozenset(names[name] for name in reads if name in names),
        frozenset(names[name] for name in writes if name in names),
    )


def _written(node: Node) -> frozenset[Slot]:
    """What its code binds; a call gives its helper other variables of the same names."""
    if not isinstance(node, ir.Block):
        return effects(node).writes
    found: set[Slot] = set()
    for code in node.code:
        if isinstance(code, ir.Enter):
            found |= facts_effects(code.facts, node.frame).writes
        elif not isinstance(code, ir.Restore):
            found |= code_effects(code, node.frame).writes
    return frozenset(found)


def _written_later(scope: Scope, node: Node) -> frozenset[Slot]:
    written: set[Slot] = set()
    seen: set[Pc] = set()
    stack = list(edges(node))
    while stack:
        pc = stack.pop()
        if pc in seen:
            continue
        seen.add(pc)
        after = scope.nodes[pc]
        written |= _written(after)
        if isinstance(after, ir.Operation | ir.ForkNode) and after.target is not None:
            written.add(after.target)
        stack.extend(edges(after))
    if isinstance(node, ir.Operation | ir.ForkNode) and node.target is not None:
        written.add(node.target)
    return frozenset(written)
