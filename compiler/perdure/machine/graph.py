"""Questions about single nodes: where they go, and whether they may raise.

Comes in: a node. Goes out: pcs, or yes or no.
"""

from collections.abc import Iterator
from typing import assert_never

from perdure.machine import ir
from perdure.machine.ir import Node, Pc

__all__ = ["code_may_raise", "edges", "handler_of", "may_raise", "scopes", "successors"]


def code_may_raise(code: ir.Code) -> bool:
    """Whether a piece of a block may raise."""
    match code:
        case ir.Statements() | ir.Bind() | ir.Use():
            return code.facts.may_raise
        case ir.Iterate() | ir.Enter():
            return True
        case ir.Keep() | ir.Unbind() | ir.Restore():
            return False
        case _:
            assert_never(code)


def may_raise(node: Node) -> bool:
    """Whether an exception may leave the node (an operation's own error too)."""
    match node:
        case ir.Block():
            return any(code_may_raise(code) for code in node.code)
        case ir.Decision(choice=ir.Test() as test):
            return test.facts.may_raise
        case ir.Decision(choice=ir.Switch()) | ir.Catch():
            return False
        case ir.Return():
            return node.facts.may_raise
        case ir.Decision() | ir.Operation() | ir.ForkNode() | ir.Raise() | ir.Reraise():
            return True
        case _:
            assert_never(node)


def handler_of(node: Node) -> Pc | None:
    """Where its exceptions go; None also where there are none."""
    if isinstance(node, ir.Catch) or not may_raise(node):
        return None
    return node.handler


def successors(node: Node) -> tuple[Pc, ...]:
    """Where it goes without an exception."""
    match node:
        case ir.Block() | ir.Catch():
            return (node.next,)
        case ir.Decision():
            return tuple(exit.to for exit in node.exits)
        case ir.Operation() | ir.ForkNode():
            return (node.ok,)
        case ir.Return() | ir.Raise() | ir.Reraise():
            return ()
        case _:
            assert_never(node)


def edges(node: Node) -> Iterator[Pc]:
    """All pcs that may come next, handlers included."""
    yield from successors(node)
    handler = handler_of(node)
    if handler is not None:
        yield handler


def scopes(root: ir.Scope) -> Iterator[ir.Scope]:
    """The scope and those of all branches inside, in program order."""
    yield root
    for state in root.states:
        if isinstance(state, ir.Spawn):
            for branch in state.branches:
                yield from scopes(branch)
