"""Rewriting every block of a program: what the passes share."""

from collections.abc import Callable
from dataclasses import replace
from typing import assert_never

from perdure.flow import (
    Block,
    Branch,
    Call,
    Case,
    Deadline,
    Exit,
    For,
    Fork,
    Group,
    Handler,
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

__all__ = ["children", "rewrite_blocks"]

type Rewrite = Callable[[Block], Block]


def rewrite_blocks(program: Program, rewrite: Rewrite) -> Program:
    """The program with `rewrite` applied to each block, innermost first."""

    def deep(block: Block) -> Block:
        return rewrite(tuple(_inside(statement, deep) for statement in block))

    return replace(
        program,
        functions=tuple(
            replace(function, body=deep(function.body)) for function in program.functions
        ),
    )


def children(statement: Stmt) -> tuple[Block, ...]:
    """The blocks directly inside a statement, in order."""
    found: list[Block] = []

    def note(block: Block) -> Block:
        found.append(block)
        return block

    _inside(statement, note)
    return tuple(found)


def _inside(statement: Stmt, deep: Rewrite) -> Stmt:
    match statement:
        case Pure() | Op() | Call() | Exit() | Unlowered():
            return statement
        case Fork(branches=branches):
            return replace(statement, branches=tuple(_branch(each, deep) for each in branches))
        case Task(branch=branch):
            return replace(statement, branch=_branch(branch, deep))
        case Group(body=body) | Deadline(body=body) | With(body=body):
            return replace(statement, body=deep(body))
        case Try():
            return replace(
                statement,
                body=deep(statement.body),
                handlers=tuple(_handler(each, deep) for each in statement.handlers),
                orelse=deep(statement.orelse),
                final=deep(statement.final),
            )
        case If(then=then, orelse=orelse):
            return replace(statement, then=deep(then), orelse=deep(orelse))
        case Match(cases=cases):
            return replace(statement, cases=tuple(_case(each, deep) for each in cases))
        case While():
            return replace(
                statement,
                before=deep(statement.before),
                body=deep(statement.body),
                orelse=deep(statement.orelse),
            )
        case For(body=body, orelse=orelse):
            return replace(statement, body=deep(body), orelse=deep(orelse))
        case _:
            assert_never(statement)


def _branch(branch: Branch, deep: Rewrite) -> Branch:
    return replace(branch, body=deep(branch.body))


def _handler(handler: Handler, deep: Rewrite) -> Handler:
    return replace(handler, body=deep(handler.body))


def _case(case: Case, deep: Rewrite) -> Case:
    return replace(case, body=deep(case.body))
