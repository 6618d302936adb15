"""Bodies of task groups: whether they may go on waiting once they have created a task.

Comes in: the statements of a body. Goes out: yes or no; yes also where only a way that is never
taken does. What a body is lowered as hangs on its graph; this is asked before there is one.
"""

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
from perdure.passes.blocks import children

__all__ = ["waits_after_tasks"]


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
