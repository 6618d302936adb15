"""Operations and forks: the nodes that are durable.

Comes in: an `Op` or a `Fork`. Goes out: its node. A race of events and sleeps alone is one wait
with several alternatives; the branches of all other forks are scopes.
"""

import ast
from typing import TYPE_CHECKING

from perdure.ir import Branch, Fork, ForkKind, Op, OpKind, Ref
from perdure.machine import ir
from perdure.machine.context import NO_FACTS, Context
from perdure.machine.fork_branches import ForkBranches
from perdure.machine.trees import fork_operands
from perdure.machine.values import called_as_value, is_plain, lower_value, value_of_call

if TYPE_CHECKING:
    from perdure.machine.ir import Pc
    from perdure.machine.lower import Lowering

__all__ = ["lower_fork", "lower_operation"]


def lower_operation(low: "Lowering", op: Op, entry: "Pc", next: "Pc", context: Context) -> None:
    """One operation outside of forks."""
    if called_as_value(low.frames, op) and not op.options:
        op = value_of_call(op)
    if op.kind is OpKind.VALUE and not (op.label and is_plain(low.frames, op)):
        lower_value(low, op, entry, next, context)
        return
    problem = _problem(low, op)
    if problem is not None:
        low.draft.refuse(problem, entry, next, context, op.span)
        return
    target = None if op.target is None else context.frame.slot(op.target)
    flows = bool(op.candidates) and all(map(low.frames.is_flow, op.candidates))
    node = ir.Operation(
        entry,
        op,
        target,
        next,
        context.handler,
        context.frame,
        op.span,
        flows,
        context.timed,
    )
    low.draft.add(node, op.label)


def _problem(low: "Lowering", op: Op) -> str | None:
    match op.kind:
        case OpKind.RESULT:
            return f"`{op.kind}` of another run"
        case OpKind.START if not op.candidates:
            return "`start` of a computed flow"
        case OpKind.START if any(argument.name == "on" for argument in op.arguments):
            return "`start` in another environment"
        case OpKind.TABLE | OpKind.VALUE:
            if not op.label or not op.candidates:
                return "awaiting a value whose operation is not known"
            return (
                None if _same_kind(low, op.candidates) else "a table of steps and flows or helpers"
            )
        case _:
            return None


def _same_kind(low: "Lowering", candidates: tuple[Ref, ...]) -> bool:
    return all(map(low.frames.is_step, candidates)) or all(map(low.frames.is_flow, candidates))


def lower_fork(low: "Lowering", fork: Fork, entry: "Pc", next: "Pc", context: Context) -> None:
    """A fork, as one node; one of no branches is the empty list."""
    if fork.over is None and not fork.branches:
        _lower_empty(low, fork, entry, next, context)
        return
    alternatives = _alternatives(fork, context)
    names = ["*"] if fork.over is not None else [b.name for b in fork.branches]
    named = tuple(zip(names, fork.branches, strict=True))
    around = ForkBranches(low, context, fork.label, fork.span, named)
    branches = () if alternatives else around.scopes()
    target = None if fork.target is None else context.frame.slot(fork.target)
    node = ir.ForkNode(
        entry,
        fork,
        branches,
        alternatives,
        target,
        next,
        context.handler,
        context.frame,
        fork.span,
        context.timed,
        again=around.again,
        forked=around.recursive,
    )
    low.draft.add(node, fork.label)


def _lower_empty(low: "Lowering", fork: Fork, entry: "Pc", next: "Pc", context: Context) -> None:
    """`gather()` is a value. With operands, or of another kind, it may raise: a map of nothing."""
    if fork.kind is not ForkKind.ALL or fork_operands(fork):
        nothing = Branch("", (), (), (), ast.Constant(None), fork.span)
        over = ast.List([], ast.Load())
        mapped = fork._replace(branches=(nothing,), over=over)
        lower_fork(low, mapped, entry, next, context)
        return
    value = ast.List([], ast.Load())
    code = (
        () if fork.target is None else (ir.Bind(context.frame.slot(fork.target), value, NO_FACTS),)
    )
    low.draft.block(entry, code, next, context, fork.span)


def _alternatives(fork: Fork, context: Context) -> tuple[ir.Alternative, ...]:
    if fork.kind is not ForkKind.RACE or fork.over is not None or not fork.branches:
        return ()
    found = [_alternative(branch, context) for branch in fork.branches]
    return tuple(one for one in found if one is not None) if all(found) else ()


def _alternative(branch: Branch, context: Context) -> ir.Alternative | None:
    match branch.body:
        case (Op(kind=OpKind.EVENT | OpKind.SLEEP, target=target) as op,):
            pass
        case _:
            return None
    match branch.value:
        case ast.Name(id=name) if name == target:
            return ir.Alternative(branch.name, op, context.frame)
        case None | ast.Constant(value=None) if op.kind is OpKind.SLEEP:
            return ir.Alternative(branch.name, op, context.frame)
        case _:
            return None
