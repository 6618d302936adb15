"""Small pieces of printed Python: what the printer of functions puts together."""

import ast
from collections.abc import Sequence
from typing import assert_never

from perdure.diagnostics import InternalError
from perdure.ir import Argument, Block, Call, Deadline, Exit, ExitKind, Expr, Fork, Op, Slot
from perdure.source import Span

__all__ = [
    "MARK",
    "arguments_of",
    "assign",
    "both",
    "exit_of",
    "given",
    "is_mark",
    "kept",
    "load",
    "mark",
    "store",
    "target_of",
]

MARK = "perdure.line "
"""How the string begins that stands before an operation, with its line after it."""


def arguments_of(
    arguments: Sequence[Argument], by_position: Sequence[str] = ()
) -> tuple[list[Expr], list[ast.keyword]]:
    """Positional and keyword arguments; operands of natives are named in the IR."""
    positional: list[Expr] = []
    keywords: list[ast.keyword] = []
    for argument in arguments:
        at = len(positional)
        if argument.star == "*":
            positional.append(ast.Starred(argument.value, ast.Load()))
        elif (argument.name is None and argument.star is None) or (
            not keywords and by_position[at : at + 1] == (argument.name,)
        ):
            positional.append(argument.value)
        else:
            keywords.append(ast.keyword(argument.name, argument.value))
    return positional, keywords


def exit_of(node: Exit) -> ast.stmt:
    """`return`, `break`, `continue` or `raise`."""
    match node.kind:
        case ExitKind.RETURN:
            return ast.Return(node.value)
        case ExitKind.BREAK:
            return ast.Break()
        case ExitKind.CONTINUE:
            return ast.Continue()
        case ExitKind.RAISE:
            return ast.Raise(node.value, node.cause)
        case _:
            assert_never(node.kind)


def target_of(block: Block) -> Slot | None:
    """What keeps the value of the one operation in a block."""
    match block:
        case (Op() | Call() | Fork() as node,):
            return node.target
        case (Deadline() as node,):
            return target_of(node.body)
        case _:
            return None


def both(turn: Expr | None, test: Expr) -> Expr:
    """`turn and test`; just the turn where the test always holds."""
    if turn is None:
        return test
    always = isinstance(test, ast.Constant) and bool(test.value)
    return turn if always else ast.BoolOp(ast.And(), [turn, test])


def given(callee: Expr | None, span: Span) -> Expr:
    """The value that is awaited."""
    if callee is None:
        raise InternalError(f"a value awaited at line {span.line} is missing", during="print")
    return callee


def mark(span: Span) -> ast.stmt:
    """Says where the next statement comes from."""
    return ast.Expr(ast.Constant(f"{MARK}{span.line}"))


def is_mark(statement: ast.AST) -> bool:
    """Whether the statement only says where the next one comes from."""
    match statement:
        case ast.Expr(value=ast.Constant(value=str(text))):
            return text.startswith(MARK)
        case _:
            return False


def kept(target: Slot | None, value: Expr) -> ast.stmt:
    """`target = value`, or just the value."""
    return ast.Expr(value) if target is None else assign(target, value)


def assign(target: Slot, value: Expr) -> ast.stmt:
    """`target = value`."""
    return ast.Assign([store(target)], value)


def load(name: Slot) -> ast.Name:
    """The name, read."""
    return ast.Name(name, ast.Load())


def store(name: Slot) -> ast.Name:
    """The name, bound."""
    return ast.Name(name, ast.Store())
