"""Rewriting every block of a program: what the passes share."""

import ast
from collections.abc import Callable, Iterator
from typing import assert_never

from perdure.ir import (
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

__all__ = ["children", "code_in", "rewrite_blocks"]

type Rewrite = Callable[[Block], Block]


def rewrite_blocks(program: Program, rewrite: Rewrite) -> Program:
    """The program with `rewrite` applied to each block, innermost first."""

    def deep(block: Block) -> Block:
        return rewrite(tuple(_inside(statement, deep) for statement in block))

    return program._replace(
        functions=tuple(
            function._replace(body=deep(function.body)) for function in program.functions
        ),
        managers=tuple(
            function._replace(body=deep(function.body)) for function in program.managers
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


def code_in(block: Block) -> Iterator[ast.AST]:
    """The Python in a block and the blocks inside it, outermost first."""
    for statement in block:
        yield from _own_code(statement)
        for inner in children(statement):
            yield from code_in(inner)


def _own_code(statement: Stmt) -> Iterator[ast.AST]:
    match statement:
        case Pure(code=code) | Unlowered(code=code):
            yield from code
        case Op(callee=callee, options=options, arguments=arguments):
            yield from _present(callee)
            yield from (argument.value for argument in (*options, *arguments))
        case Call(arguments=arguments):
            yield from (argument.value for argument in arguments)
        case Fork():
            yield from _present(statement.limit, statement.return_exceptions, statement.fail_fast)
            yield from _present(statement.quorum, statement.over)
            yield from _present(*(branch.value for branch in statement.branches))
        case Task(branch=branch, named=named):
            yield from _present(branch.value, named)
        case Group():
            pass
        case Deadline(delay=delay):
            yield delay
        case Try(handlers=handlers):
            yield from _present(*(handler.type for handler in handlers))
        case If(test=test) | While(test=test):
            yield test
        case Match(subject=subject, cases=cases):
            yield subject
            for case in cases:
                yield case.pattern
                yield from _present(case.guard)
        case For(target=target, iterable=iterable):
            yield from (target, iterable)
        case Exit(value=value, cause=cause):
            yield from _present(value, cause)
        case With(manager=manager, name=name):
            yield from _present(manager, name)
        case _:
            assert_never(statement)


def _present(*nodes: ast.expr | None) -> Iterator[ast.expr]:
    return (node for node in nodes if node is not None)


def _inside(statement: Stmt, deep: Rewrite) -> Stmt:
    match statement:
        case Pure() | Op() | Call() | Exit():
            return statement
        case Unlowered(lowered=lowered):
            return statement._replace(lowered=deep(lowered)) if lowered else statement
        case Fork(branches=branches):
            return statement._replace(branches=tuple(_branch(each, deep) for each in branches))
        case Task(branch=branch):
            return statement._replace(branch=_branch(branch, deep))
        case Group(body=body) | Deadline(body=body) | With(body=body):
            return statement._replace(body=deep(body))
        case Try():
            return statement._replace(
                body=deep(statement.body),
                handlers=tuple(_handler(each, deep) for each in statement.handlers),
                orelse=deep(statement.orelse),
                final=deep(statement.final),
            )
        case If(then=then, orelse=orelse):
            return statement._replace(then=deep(then), orelse=deep(orelse))
        case Match(cases=cases):
            return statement._replace(cases=tuple(_case(each, deep) for each in cases))
        case While():
            return statement._replace(
                before=deep(statement.before),
                body=deep(statement.body),
                orelse=deep(statement.orelse),
            )
        case For(body=body, orelse=orelse):
            return statement._replace(body=deep(body), orelse=deep(orelse))
        case _:
            assert_never(statement)


def _branch(branch: Branch, deep: Rewrite) -> Branch:
    return branch._replace(body=deep(branch.body))


def _handler(handler: Handler, deep: Rewrite) -> Handler:
    return handler._replace(body=deep(handler.body))


def _case(case: Case, deep: Rewrite) -> Case:
    return case._replace(body=deep(case.body))
