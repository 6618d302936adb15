"""Which names of `except ... as name` are looked at where their handler is over.

Comes in: a block. Goes out: names. For all others nobody can see that CPython unbinds them at the
end.
"""

from collections.abc import Iterator
from typing import assert_never

from perdure.ir import (
    Block,
    Branch,
    Call,
    Deadline,
    Exit,
    Facts,
    For,
    Fork,
    Group,
    If,
    Match,
    Op,
    Pure,
    Stmt,
    Task,
    Try,
    Unlowered,
    While,
    With,
)
from perdure.uses import uses

__all__ = ["inner_blocks", "read_outside_handlers"]


def read_outside_handlers(block: Block) -> frozenset[str]:
    """The names read outside of handlers that bind them, and those bound again inside one."""
    found: set[str] = set()
    _walk(block, frozenset(), found)
    return frozenset(found)


def _walk(block: Block, bound: frozenset[str], found: set[str]) -> None:
    stack: list[tuple[Block, frozenset[str]]] = [(block, bound)]
    while stack:
        current, names = stack.pop()
        for statement in current:
            found |= _reads(statement) - names
            if isinstance(statement, Try):
                for handler in statement.handlers:
                    inside = names
                    if handler.name is not None:
                        if handler.name in names:
                            found.add(handler.name)
                        inside = names | {handler.name}
                    stack.append((handler.body, inside))
                parts = (statement.body, statement.orelse, statement.final)
                stack.extend((part, names) for part in parts)
            else:
                stack.extend((inner, names) for inner in inner_blocks(statement))


def _reads(statement: Stmt) -> frozenset[str]:
    match statement:
        case Task(branch=branch, named=named):
            return frozenset({*branch.captures, *uses([named] if named else []).reads})
        case Fork():
            captured = (frozenset(b.captures) for b in statement.branches)
            return statement.facts.reads.union(*captured)
        case Try() | Group() | Unlowered():
            return frozenset()
        case _:
            facts: Facts = statement.facts
            return facts.reads


def inner_blocks(statement: Stmt) -> Iterator[Block]:
    """The blocks right inside a statement."""
    match statement:
        case If():
            yield statement.then
            yield statement.orelse
        case While():
            yield statement.before
            yield statement.body
            yield statement.orelse
        case For():
            yield statement.body
            yield statement.orelse
        case Match():
            for case in statement.cases:
                yield case.body
        case Try():
            yield statement.body
            for handler in statement.handlers:
                yield handler.body
            yield statement.orelse
            yield statement.final
        case Group() | Deadline() | With():
            yield statement.body
        case Task() | Fork():
            for branch in _branches(statement):
                yield branch.body
        case Unlowered():
            yield statement.lowered
        case Pure() | Op() | Call() | Exit():
            return
        case _:
            assert_never(statement)


def _branches(statement: Task | Fork) -> tuple[Branch, ...]:
    return (statement.branch,) if isinstance(statement, Task) else statement.branches
