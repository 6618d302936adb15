"""What no control can reach is dropped, so that targets make no states for it.

return x
y = op step never()    ->    return x
"""

import ast
from typing import assert_never

from perdure.ir import (
    Block,
    Call,
    Case,
    Deadline,
    Exit,
    For,
    Fork,
    Group,
    If,
    Match,
    Op,
    Program,
    Pure,
    Stmt,
    Task,
    Try,
    Unlowered,
    While,
    With,
)
from perdure.passes.blocks import rewrite_blocks

__all__ = ["drop_unreachable", "ends"]


def drop_unreachable(program: Program) -> Program:
    """Cut every block after the first statement that never ends normally."""
    return rewrite_blocks(program, _cut)


def _cut(block: Block) -> Block:
    for at, statement in enumerate(block):
        if ends(statement):
            return block[: at + 1]
    return block


def _block_ends(block: Block) -> bool:
    return bool(block) and ends(block[-1])


def ends(statement: Stmt) -> bool:
    """Whether control never comes out behind the statement."""
    match statement:
        case Exit():
            return True
        case If(then=then, orelse=orelse):
            return _block_ends(then) and _block_ends(orelse)
        case Try():
            normal = _block_ends(statement.body) or _block_ends(statement.orelse)
            caught = all(_block_ends(handler.body) for handler in statement.handlers)
            return (normal and caught) or _block_ends(statement.final)
        case Group(body=body) | Deadline(body=body):
            return _block_ends(body)
        case Match(cases=cases):
            last = cases[-1] if cases else None
            complete = last is not None and _takes_all(last)
            return complete and all(_block_ends(case.body) for case in cases)
        case Pure() | Op() | Call() | Fork() | Task() | While() | For() | With() | Unlowered():
            return False
        case _:
            assert_never(statement)


def _takes_all(case: Case) -> bool:
    return (
        case.guard is None
        and isinstance(case.pattern, ast.MatchAs)
        and case.pattern.pattern is None
    )
