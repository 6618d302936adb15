"""Bodies of task groups: whether they may go on waiting once they have created a task.

Comes in: the statements of a body. Goes out: yes or no; yes also where only a way that is never
taken does. What a body is lowered as hangs on its graph; this is asked before there is one. And
what such a body may not do: ask how a task stands, which nobody records.
"""

import ast
from collections.abc import Iterator

from perdure.ir import (
    Block,
    Call,
    Exit,
    For,
    Fork,
    Op,
    Pure,
    Stmt,
    Task,
    Unlowered,
    While,
    With,
)
from perdure.passes.blocks import children, code_in
from perdure.source import Span

__all__ = ["looks_at_tasks", "waits_after_tasks"]

_LOOKS = frozenset({"cancel", "cancelled", "done", "exception", "result"})


def waits_after_tasks(body: Block) -> bool:
    """Whether an operation may follow the creation of a task."""
    return _walk(body, False)[1]


def _walk(body: Block, created: bool) -> tuple[bool, bool]:
    """Whether a task may have been created behind the block, and whether something waits so."""
    waits = False
    for statement in body:
        created, found = _statement(statement, created)
        waits |= found
    return created, waits


def _statement(statement: Stmt, created: bool) -> tuple[bool, bool]:
    match statement:
        case Task():
            return True, False
        case Pure() | Exit():
            return created, False
        case Op() | Call() | Fork() | Unlowered():
            return created, created
        case _:
            pass
    waits = created and isinstance(statement, With)
    turns = 2 if isinstance(statement, For | While) else 1
    for _ in range(turns):
        for block in children(statement):
            after, found = _walk(block, created)
            created |= after
            waits |= found
    return created, waits


def looks_at_tasks(body: Block, file: str) -> Iterator[tuple[str, Span]]:
    """What asks about a task before its group has joined, in a few words, and where."""
    blocks = [body]
    while blocks:
        for statement in blocks.pop():
            blocks.extend(children(statement))
            if isinstance(statement, Op) and "create_task" in statement.natives:
                yield "awaiting a task in the body of its TaskGroup", statement.span
    for code in code_in(body):
        for node in ast.walk(code):
            match node:
                case ast.Call(func=ast.Attribute(attr=name)) if name in _LOOKS:
                    what = f"`{name}` of a task in the body of its TaskGroup, which waits"
                    end, last = node.end_lineno or node.lineno, node.end_col_offset or 0
                    yield what, Span(file, node.lineno, node.col_offset, end, last)
                case _:
                    pass
