"""Which operations run in a site and which the orchestrator does itself.

Comes in: an operation's node. Goes out: answers.
"""

import ast
from typing import assert_never

from perdure.ir import Argument, Facts, Op, OpKind
from perdure.machine import ir

__all__ = ["alternatives", "is_race", "operands_may_raise", "runs_in_site", "waits_in_site"]


def runs_in_site(node: ir.Operation | ir.ForkNode) -> bool:
    """Whether a site's Python performs it, between its prologue and its epilogue."""
    if isinstance(node, ir.ForkNode):
        return False
    match node.op.kind:
        case OpKind.STEP | OpKind.PROGRESS | OpKind.REPLY:
            return True
        case OpKind.START | OpKind.SEND | OpKind.CANCEL:
            return True
        case OpKind.TABLE | OpKind.VALUE:
            return not node.flows
        case OpKind.FLOW | OpKind.EVENT | OpKind.SLEEP | OpKind.ASK | OpKind.RESULT:
            return False
        case _:
            assert_never(node.op.kind)


def alternatives(node: ir.Operation | ir.ForkNode) -> tuple[ir.Alternative, ...]:
    """What a wait waits for; empty: it is no wait."""
    if isinstance(node, ir.ForkNode):
        return node.alternatives
    if node.op.kind is OpKind.EVENT:
        return (ir.Alternative("", node.op, node.frame),)
    return ()


def is_race(node: ir.Operation | ir.ForkNode) -> bool:
    """Whether its value is the pair of winner and value."""
    return isinstance(node, ir.ForkNode)


def waits_in_site(node: ir.Operation | ir.ForkNode) -> bool:
    """Whether a site can register the wait: nothing is needed before it, no slot changes."""
    found = alternatives(node)
    if node.timed:
        return False  # how long it waits at most hangs on the deadline
    rebuilt = node.frame.functions.keys()
    return bool(found) and all(
        _is_plain(one.op) and rebuilt.isdisjoint(one.op.facts.reads) for one in found
    )


def _is_plain(op: Op) -> bool:
    if op.callee is not None:
        return False  # only the value knows how long it waits
    timed = [a for a in op.arguments if a.name in {"timeout", "duration", "until"}]
    return all(map(_is_literal, timed)) and not _changes(op.facts)


def _changes(facts: Facts) -> bool:
    return bool(facts.writes) or facts.records


def _is_literal(argument: Argument) -> bool:
    match argument.value:
        case ast.Constant():
            return argument.star is None
        case ast.UnaryOp(operand=ast.Constant()):
            return argument.star is None
        case _:
            return False


def operands_may_raise(node: ir.Operation | ir.ForkNode) -> bool:
    """Whether evaluating what a native operation is given may raise (also: values that cannot
    cross).
    """
    if isinstance(node, ir.Operation) and node.op.kind is OpKind.SLEEP:
        return not all(map(_is_literal, node.op.arguments))
    return True
