"""The user's `ast` nodes that a node of the graph holds.

Comes in: a node. Goes out: its statements, expressions and patterns, in the order they run.
"""

import ast
from collections.abc import Iterator
from typing import assert_never

from perdure.ir import Argument, Fork, Op, OpKind, Ref
from perdure.machine import ir

__all__ = ["CALLS", "code_trees", "fork_operands", "reference", "trees"]

CALLS = frozenset({OpKind.STEP, OpKind.FLOW, OpKind.TABLE, OpKind.VALUE, OpKind.START})
"""Operations whose operands are a callee and its arguments."""


def trees(node: ir.Node) -> Iterator[ast.AST]:
    """Everything the node's function evaluates."""
    match node:
        case ir.Block():
            for code in node.code:
                yield from _code(code)
        case ir.Decision():
            yield from _choice(node.choice)
        case ir.Operation():
            yield from _op(node.op)
        case ir.ForkNode():
            for _, value in fork_operands(node.fork):
                yield value
            for one in node.alternatives:
                yield from _op(one.op)
        case ir.Return():
            if isinstance(node.value, ast.expr):
                yield node.value
        case ir.Raise():
            yield node.value
            if node.cause is not None:
                yield node.cause
        case ir.Catch() | ir.Reraise():
            return
        case _:
            assert_never(node)


def code_trees(node: ir.Node) -> list[ast.stmt | ast.expr]:
    """Those that are statements or expressions: all but patterns."""
    return [tree for tree in trees(node) if isinstance(tree, ast.stmt | ast.expr)]


def reference(ref: Ref) -> ast.expr:
    """The expression that names a function where its module's names are known."""
    return ast.parse(ref.qualname, mode="eval").body


def fork_operands(fork: Fork) -> list[tuple[str, ast.expr]]:
    """The operands of a fork that are written, in the order they are evaluated."""
    found = (
        ("quorum", fork.quorum),
        ("over", fork.over),
        ("limit", fork.limit),
        ("return_exceptions", fork.return_exceptions),
        ("fail_fast", fork.fail_fast),
        ("label", fork.label_of),
    )
    return [(name, value) for name, value in found if value is not None]


def _code(code: ir.Code) -> Iterator[ast.AST]:
    match code:
        case ir.Statements():
            yield from code.code
        case ir.Bind():
            if isinstance(code.value, ast.expr):
                yield code.value
        case ir.Iterate():
            yield code.iterable
        case ir.Use():
            yield from (value for value in code.values if isinstance(value, ast.expr))
        case ir.Enter():
            yield from (argument.value for argument in code.arguments)
        case ir.Keep() | ir.Unbind() | ir.Restore():
            return
        case _:
            assert_never(code)


def _choice(choice: ir.Choice) -> Iterator[ast.AST]:
    match choice:
        case ir.Test():
            yield choice.test
        case ir.MatchCases():
            yield choice.subject
            for _, pattern, guard in choice.cases:
                yield pattern
                if guard is not None:
                    yield guard
        case ir.Advance():
            yield choice.target
        case ir.MatchErrors():
            yield from (type for _, type in choice.types if type is not None)
        case ir.Switch():
            return
        case _:
            assert_never(choice)


def _op(op: Op) -> Iterator[ast.AST]:
    if op.callee is not None:
        yield op.callee
    yield from _values(op.options)
    yield from _values(op.arguments)


def _values(arguments: tuple[Argument, ...]) -> Iterator[ast.expr]:
    return (argument.value for argument in arguments)
