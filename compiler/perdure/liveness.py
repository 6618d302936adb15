"""Which slots are needed later: before and after each statement of the Flow IR.

Comes in: a verified function. Goes out: `Liveness`, asked by statement. One backward pass (and one
more per nesting of loops). Exact about `finally`, loops and exits; an error inside a `try` may
come before or after what the statement binds. Slots that a closure captures (`cells`) are live
everywhere: who calls it cannot be told.
"""

import ast
from collections.abc import Iterable
from typing import NamedTuple, assert_never, final

from perdure.ir import (
    Block,
    Branch,
    Call,
    Case,
    Deadline,
    Exit,
    ExitKind,
    Facts,
    For,
    Fork,
    Function,
    Group,
    If,
    Match,
    Op,
    Pure,
    Slot,
    Stmt,
    Task,
    Try,
    Unlowered,
    While,
    With,
)
from perdure.passes.blocks import code_in
from perdure.uses import bound_by_target, captured_names, uses

__all__ = ["Liveness", "cells_of", "liveness", "needed"]

type Slots = frozenset[Slot]

_NONE: Slots = frozenset()


class _Around(NamedTuple):
    """What is live where control may go from here: out by error, `return`, `break`, `continue`."""

    error: Slots = _NONE
    leave: Slots = _NONE
    stop: Slots = _NONE
    again: Slots = _NONE

    def every(self) -> Slots:
        return self.error | self.leave | self.stop | self.again


@final
class Liveness:
    """Live slots of one function, by statement (by identity)."""

    def __init__(self, slots: Slots = _NONE, cells: Slots = _NONE) -> None:
        self._slots = slots
        self.cells = cells
        self._before: dict[int, Slots] = {}
        self._after: dict[int, Slots] = {}
        self._across: dict[int, Slots] = {}
        self._exposed: dict[int, Slots] = {}

    def before(self, statement: Stmt) -> Slots:
        """Slots whose value at the start of the statement may still be looked at."""
        return self._before[id(statement)] & self._slots | self.cells

    def after(self, statement: Stmt) -> Slots:
        """The same at its normal end."""
        return self._after[id(statement)] & self._slots | self.cells

    def across(self, statement: Stmt) -> Slots:
        """Slots whose value from before an operation may be looked at when it ended, also by an
        error."""
        return self._across[id(statement)] & self._slots | self.cells

    def block(self, block: Block, after: Slots, around: _Around) -> Slots:
        """The slots live before a block."""
        live = after
        for statement in reversed(block):
            self._after[id(statement)] = live
            self._across[id(statement)] = _kept(statement, live) | around.error
            live = self._statement(statement, live, around)
            self._before[id(statement)] = live
        return live

    def exposed(self, block: Block) -> Slots:
        """Slots a block looks at before it binds them, on some path."""
        if id(block) not in self._exposed:
            self._exposed[id(block)] = self.block(block, _NONE, _Around())
        return self._exposed[id(block)]

    def _statement(self, statement: Stmt, after: Slots, around: _Around) -> Slots:
        match statement:
            case Pure(facts=facts):
                return _through(facts, after, around)
            case Op(facts=facts, target=target) | Call(facts=facts, target=target):
                return (after - _one(target)) | facts.reads | around.error
            case Fork():
                return self._fork(statement, after, around)
            case Task(branch=branch, target=target, group=group, named=named):
                reads = self._branch(branch) | {group} | uses([named] if named else []).reads
                return (after - _one(target)) | reads | around.error
            case Exit():
                return self._exit(statement, around)
            case If():
                both = self.block(statement.then, after, around)
                both |= self.block(statement.orelse, after, around)
                return _through(statement.facts, both, around)
            case Match():
                return self._match(statement, after, around)
            case While() | For():
                return self._loop(statement, after, around)
            case Try():
                return self._try(statement, after, around)
            case Group() | Deadline() | With():
                return self._with(statement, after, around)
            case Unlowered(code=code):
                return after | frozenset(_names(code)) | around.every()
            case _:
                assert_never(statement)

    def _fork(self, fork: Fork, after: Slots, around: _Around) -> Slots:
        reads = fork.facts.reads | around.error
        for branch in fork.branches:
            reads |= self._branch(branch)
        return (after - _one(fork.target)) | reads

    def _branch(self, branch: Branch) -> Slots:
        value = _NONE if branch.value is None else uses([branch.value]).reads
        inside = self.block(branch.body, frozenset(value), _Around())
        return inside & frozenset(branch.captures)

    def _exit(self, statement: Exit, around: _Around) -> Slots:
        match statement.kind:
            case ExitKind.RETURN:
                there = around.leave
            case ExitKind.BREAK:
                there = around.stop
            case ExitKind.CONTINUE:
                there = around.again
            case ExitKind.RAISE:
                there = around.error
            case _:
                assert_never(statement.kind)
        return _through(statement.facts, there, around)

    def _match(self, statement: Match, after: Slots, around: _Around) -> Slots:
        live = after
        for case in reversed(statement.cases):
            live |= self._case(case, after, around)
        return _through(statement.facts, live, around)

    def _case(self, case: Case, after: Slots, around: _Around) -> Slots:
        live = self.block(case.body, after, around) | around.error
        if case.guard is not None:
            live |= uses([case.guard]).reads
        patterns = [node for node in ast.walk(case.pattern) if isinstance(node, ast.expr)]
        return (live - bound_by_target(case.pattern)) | uses(patterns).reads | around.error

    def _loop(self, loop: While | For, after: Slots, around: _Around) -> Slots:
        reads = loop.facts.reads
        done = self.block(loop.orelse, after, around)
        before = loop.before if isinstance(loop, While) else ()
        head = done | reads | around.every() | after
        head |= self.exposed(loop.body) | self.exposed(before)
        body = self.block(loop.body, head, around._replace(stop=after, again=head))
        if isinstance(loop, While):
            test = _through(loop.facts, body | done, around)
            return self.block(before, test, around)
        bound = frozenset(bound_by_target(loop.target))
        reads |= uses([loop.target]).reads
        return (body - bound) | done | reads | around.error

    def _try(self, statement: Try, after: Slots, around: _Around) -> Slots:
        final = statement.final
        ended = self.block(final, after, around)
        if final:
            # Whatever way out is taken leads through `final`.
            around = _Around(*(self.block(final, there, around) for there in around))
        caught = around.error
        for handler in statement.handlers:
            live = self.block(handler.body, ended, around) - _one(handler.name)
            caught |= live if handler.type is None else live | uses([handler.type]).reads
        orelse = self.block(statement.orelse, ended, around)
        inside = around._replace(error=caught)
        if final:
            self.block(final, after | around.every(), around)
        return self.block(statement.body, orelse, inside)

    def _with(self, statement: Group | Deadline | With, after: Slots, around: _Around) -> Slots:
        if isinstance(statement, Group):
            inside = self.block(statement.body, after, around)
            return (inside - _one(statement.name)) | around.error
        if isinstance(statement, Deadline):
            inside = self.block(statement.body, after, around) - _one(statement.name)
            return _through(statement.facts, inside, around)
        inside = self.block(statement.body, after, around._replace(error=around.error | after))
        if statement.name is not None:
            inside = (inside - bound_by_target(statement.name)) | uses([statement.name]).reads
        return _through(statement.facts, inside, around)


def liveness(function: Function, nested: Iterable[Function] = ()) -> Liveness:
    """The live slots of a function; `nested` are those that share its slots by reference."""
    cells = set(cells_of(function.body))
    for inner in nested:
        cells |= inner.captures
    slots = function.slots | function.captures
    found = Liveness(slots, frozenset(cells) & slots)
    found.block(function.body, function.captures, _Around(leave=function.captures))
    return found


def needed(block: Block, after: Slots = _NONE) -> Slots:
    """The slots live before a block that stands alone, as a branch does."""
    return Liveness().block(block, after, _Around())


def cells_of(block: Block) -> set[Slot]:
    """Slots that lambdas and nested functions in the code of a block capture."""
    found: set[Slot] = set()
    for node in code_in(block):
        pending: list[ast.AST] = [node]
        while pending:
            part = pending.pop()
            if isinstance(part, ast.Lambda | ast.FunctionDef | ast.AsyncFunctionDef):
                found |= captured_names(part)[0]
            pending.extend(ast.iter_child_nodes(part))
    return found


def _through(facts: Facts, after: Slots, around: _Around) -> Slots:
    live = (after - facts.binds) | facts.reads
    return live | around.error if facts.may_raise else live


def _kept(statement: Stmt, after: Slots) -> Slots:
    """What a statement leaves alone of what is live after it."""
    if isinstance(statement, Op | Call | Fork | Task):
        return after - _one(statement.target)
    return after


def _one(slot: Slot | None) -> Slots:
    return _NONE if slot is None else frozenset({slot})


def _names(code: Iterable[ast.stmt]) -> set[Slot]:
    return {node.id for part in code for node in ast.walk(part) if isinstance(node, ast.Name)}
