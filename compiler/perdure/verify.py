"""What every Flow IR program must hold, executable; run after the builder and after each pass.

1. No `await`, `yield`, `async for` or `async with` is left in an expression or in pure code.
2. Every node has a span (file, line) and every expression a position: targets point at lines.
3. Operations, forks, groups and deadlines have labels ("" for values alone), unique in a function.
4. `break` and `continue` are inside a loop of the same scope; a branch contains no `return`.
5. Temporaries are bound before they are read, on every path, and no path binds one twice (`_1 += x`
   may follow; one bound by a walrus is read only where that ran). A user's name may be read
   unbound: that raises UnboundLocalError as in CPython, and `may_raise` is set on what reads it.
6. Facts cover the code: every slot that an expression reads or binds is in them.
7. A branch reads only its params, its captures, and what it binds itself.
8. `Task` names a group around it; maps have exactly one branch; a cause has a value it causes.
"""

import ast
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, assert_never, final

from perdure.diagnostics import InternalError
from perdure.ir import (
    Block,
    Branch,
    Call,
    Deadline,
    Exit,
    ExitKind,
    Facts,
    For,
    Fork,
    ForkKind,
    Function,
    Group,
    If,
    Match,
    Op,
    OpKind,
    Program,
    Pure,
    Slot,
    Stmt,
    Task,
    Try,
    Unlowered,
    While,
    With,
)
from perdure.printer import format_function
from perdure.uses import Uses, bound_by_target, uses

if TYPE_CHECKING:
    from perdure.source import Span

__all__ = ["verify"]

type Bound = set[Slot] | None
"""Slots surely bound; None where control cannot come."""

_LEFT = (
    ast.Await,
    ast.Yield,
    ast.YieldFrom,
    ast.AsyncFor,
    ast.AsyncWith,
)
_PLACED = (ast.expr, ast.stmt, ast.keyword, ast.pattern)


def verify(program: Program, after: str) -> None:
    """Raise `InternalError`, naming the pass, if the program breaks a rule above."""
    if not any(function.ref == program.entry for function in program.functions):
        raise InternalError(f"the entry {program.entry} is no function", during=after)
    for function in program.functions:
        _Check(function, after).run()


@final
class _Check:
    def __init__(self, function: Function, after: str) -> None:
        self._function = function
        self._after = after
        self._labels: set[str] = set()
        self._known = function.slots | function.captures
        self._groups: list[Slot] = []
        self._user = {parameter.name for parameter in function.parameters}

    def run(self) -> None:
        self._span(self._function.span)
        bound: Bound = self._user | self._function.captures
        self._block(self._function.body, bound, in_loop=False, in_branch=False)

    def _fail(self, problem: str, span: "Span | None" = None) -> None:
        where = "" if span is None else f" at {span.file}:{span.line}:{span.column}"
        raise InternalError(
            f"{self._function.ref}{where}: {problem}",
            during=self._after,
            printed=format_function(self._function),
        )

    def _span(self, span: "Span") -> None:
        if not span.file or span.line < 1 or span.end_line < span.line:
            self._fail(f"a node without a place: {span}")

    def _block(self, block: Block, bound: Bound, *, in_loop: bool, in_branch: bool) -> Bound:
        now = None if bound is None else set(bound)
        for statement in block:
            self._span(statement.span)
            now = self._statement(statement, now, in_loop=in_loop, in_branch=in_branch)
        return now

    def _statement(self, statement: Stmt, bound: Bound, *, in_loop: bool, in_branch: bool) -> Bound:
        match statement:
            case Pure(code=code, facts=facts):
                return self._pure(code, facts, bound, statement.span)
            case Op():
                self._op(statement, bound)
                return self._bind(bound, [statement.target], statement.span)
            case Call():
                self._label(statement.label, statement.span, required=False)
                values = [argument.value for argument in statement.arguments]
                self._evaluate(values, statement.facts, bound, statement.span)
                return self._bind(bound, [statement.target], statement.span)
            case Fork():
                return self._fork(statement, bound)
            case Task():
                if statement.group not in self._groups:
                    self._fail(f"no group `{statement.group}` around a task", statement.span)
                reads = uses([statement.named] if statement.named else []).reads
                if bound is not None and not reads & self._known <= bound:
                    self._fail("the name of a task is not bound", statement.span)
                self._branch(statement.branch, bound)
                return self._bind(bound, [statement.target], statement.span)
            case Exit():
                self._exit(statement, bound, in_loop=in_loop, in_branch=in_branch)
                return None
            case Unlowered():
                return None if bound is None else bound | uses(statement.code).writes
            case _:
                return self._control(statement, bound, in_loop=in_loop, in_branch=in_branch)

    def _pure(self, code: Sequence[ast.stmt], facts: Facts, bound: Bound, span: "Span") -> Bound:
        if not code:
            self._fail("pure code of nothing", span)
        self._nothing_left(code, span)
        found = uses(code)
        self._covered(found, facts, bound, span)
        again = {
            node.target.id
            for node in code
            if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name)
        }
        once = {name for name in found.writes - again if self._is_temporary(name)}
        if bound is not None and once & bound:
            self._fail(f"temporaries bound twice: {sorted(once & bound)}", span)
        if bound is None or found.binds is None:
            return None
        return (bound - (found.deletes - found.binds)) | (found.binds & self._known) | once

    def _op(self, op: Op, bound: Bound) -> None:
        self._label(op.label, op.span, required=op.kind is not OpKind.VALUE)
        if op.kind in (OpKind.STEP, OpKind.FLOW) and len(op.candidates) != 1:
            self._fail(f"`{op.label}` is not exactly one function", op.span)
        if op.kind in (OpKind.TABLE, OpKind.VALUE) and op.callee is None:
            self._fail(f"`{op.label}` without what is called", op.span)
        values = [] if op.callee is None else [op.callee]
        values += [argument.value for argument in (*op.options, *op.arguments)]
        self._evaluate(values, op.facts, bound, op.span)

    def _fork(self, fork: Fork, bound: Bound) -> Bound:
        self._label(fork.label, fork.span, required=True)
        options = (fork.limit, fork.return_exceptions, fork.fail_fast, fork.quorum, fork.over)
        values = [value for value in options if value is not None]
        self._evaluate(values, fork.facts, bound, fork.span)
        if fork.over is not None and len(fork.branches) != 1:
            self._fail("a map without exactly one branch", fork.span)
        if (fork.kind is ForkKind.QUORUM) != (fork.quorum is not None):
            self._fail("only a quorum counts", fork.span)
        for branch in fork.branches:
            self._branch(branch, bound)
        return self._bind(bound, [fork.target], fork.span)

    def _branch(self, branch: Branch, bound: Bound) -> None:
        self._span(branch.span)
        inside: Bound = {*branch.params, *branch.captures}
        unknown = {name for name in branch.captures if self._is_temporary(name)}
        if bound is not None and not unknown <= bound:
            self._fail(f"captures what is not bound: {sorted(unknown - bound)}", branch.span)
        outer, self._known = self._known, frozenset(self._known)
        end = self._block(branch.body, inside, in_loop=False, in_branch=True)
        if branch.value is not None and end is not None:
            missing = (uses([branch.value]).reads & self._known) - end
            if missing:
                self._fail(f"a branch gives what it has not: {sorted(missing)}", branch.span)
        self._known = outer

    def _exit(self, statement: Exit, bound: Bound, *, in_loop: bool, in_branch: bool) -> None:
        kind = statement.kind
        if kind in (ExitKind.BREAK, ExitKind.CONTINUE) and not in_loop:
            self._fail(f"`{kind.value}` outside a loop", statement.span)
        if in_branch and kind is ExitKind.RETURN:
            self._fail("`return` in a branch", statement.span)
        values = [value for value in (statement.value, statement.cause) if value is not None]
        if statement.cause is not None and statement.value is None:
            self._fail("a cause of nothing", statement.span)
        self._evaluate(values, statement.facts, bound, statement.span)

    def _control(
        self,
        node: Group | Deadline | Try | If | Match | While | For | With,
        bound: Bound,
        *,
        in_loop: bool,
        in_branch: bool,
    ) -> Bound:
        def inner(block: Block, before: Bound, *, loop: bool = in_loop) -> Bound:
            return self._block(block, before, in_loop=loop, in_branch=in_branch)

        match node:
            case If():
                bound = self._test(node.test, node.facts, bound, node.span)
                return _either([inner(node.then, bound), inner(node.orelse, bound)])
            case Match():
                return self._match(node, bound, inner_loop=in_loop, in_branch=in_branch)
            case While():
                before = inner(node.before, bound)
                tested = self._test(node.test, node.facts, before, node.span)
                inner(node.body, tested, loop=True)
                return _either([inner(node.orelse, tested), tested])
            case For():
                self._evaluate([node.iterable], node.facts, bound, node.span)
                names = bound_by_target(node.target)
                inner(node.body, None if bound is None else bound | names, loop=True)
                return _either([inner(node.orelse, bound), bound])
            case Try():
                return self._try(node, bound, in_loop=in_loop, in_branch=in_branch)
            case Deadline():
                self._label(node.label, node.span, required=True)
                self._evaluate([node.delay], node.facts, bound, node.span)
                return inner(node.body, self._bind(bound, [node.name], node.span))
            case Group():
                self._label(node.label, node.span, required=True)
                if node.name is not None:
                    self._groups.append(node.name)
                end = inner(node.body, self._bind(bound, [node.name], node.span))
                if node.name is not None:
                    self._groups.pop()
                return end
            case With():
                self._evaluate([node.manager], node.facts, bound, node.span)
                names = set[str]() if node.name is None else bound_by_target(node.name)
                end = inner(node.body, None if bound is None else bound | names)
                return bound if end is None else _either([bound, end])
            case _:
                assert_never(node)

    def _match(self, node: Match, bound: Bound, *, inner_loop: bool, in_branch: bool) -> Bound:
        self._evaluate([node.subject], node.facts, bound, node.span)
        ends: list[Bound] = []
        complete = False
        for case in node.cases:
            names = bound_by_target(case.pattern)
            before = None if bound is None else bound | names
            if case.guard is not None:
                self._nothing_left([case.guard], case.span)
            ends.append(self._block(case.body, before, in_loop=inner_loop, in_branch=in_branch))
            complete |= case.guard is None and (
                isinstance(case.pattern, ast.MatchAs) and case.pattern.pattern is None
            )
        return _either(ends if complete else [*ends, bound])

    def _try(self, node: Try, bound: Bound, *, in_loop: bool, in_branch: bool) -> Bound:
        def inner(block: Block, before: Bound) -> Bound:
            return self._block(block, before, in_loop=in_loop, in_branch=in_branch)

        ends = [inner(node.orelse, inner(node.body, bound))]
        for handler in node.handlers:
            self._span(handler.span)
            if handler.type is not None:
                self._nothing_left([handler.type], handler.span)
            before = self._bind(bound, [handler.name], handler.span)
            ends.append(inner(handler.body, before))
        final = inner(node.final, bound)
        end = _either(ends)
        return None if end is None or final is None else end | final

    def _test(self, test: ast.expr, facts: Facts, bound: Bound, span: "Span") -> Bound:
        self._evaluate([test], facts, bound, span)
        # A walrus in a condition may bind a temporary that is read only where it did.
        walrus = {name for name in uses([test]).writes if self._is_temporary(name)}
        return None if bound is None else bound | walrus | (facts.binds & self._known)

    def _evaluate(
        self, values: Sequence[ast.expr], facts: Facts, bound: Bound, span: "Span"
    ) -> None:
        self._nothing_left(values, span)
        self._covered(uses(values), facts, bound, span)

    def _covered(self, found: Uses, facts: Facts, bound: Bound, span: "Span") -> None:
        reads = found.reads & self._known
        if not reads <= facts.reads:
            self._fail(f"facts miss reads of {sorted(reads - facts.reads)}", span)
        if not found.writes & self._known <= facts.writes:
            self._fail(f"facts miss writes of {sorted(found.writes - facts.writes)}", span)
        if bound is None:
            return
        unbound = reads - bound
        if any(map(self._is_temporary, unbound)):
            self._fail(f"temporaries read before they are bound: {sorted(unbound)}", span)
        if unbound and not facts.may_raise:
            self._fail(f"may be unbound, yet cannot raise: {sorted(unbound)}", span)

    def _nothing_left(self, nodes: Iterable[ast.AST], span: "Span") -> None:
        pending = list(nodes)
        while pending:
            node = pending.pop()
            if isinstance(node, _LEFT):
                self._fail(f"`{type(node).__name__}` left in pure code", span)
            if isinstance(node, _PLACED) and not hasattr(node, "lineno"):
                self._fail(f"`{type(node).__name__}` without a place", span)
            pending.extend(ast.iter_child_nodes(node))

    def _label(self, label: str, span: "Span", *, required: bool) -> None:
        if required and not label:
            self._fail("an operation without a label", span)
        if label and label in self._labels:
            self._fail(f"label `{label}` twice", span)
        self._labels.add(label)

    def _bind(self, bound: Bound, names: Sequence[Slot | None], span: "Span") -> Bound:
        slots = {name for name in names if name is not None}
        if not slots <= self._known:
            self._fail(f"binds what is no slot: {sorted(slots - self._known)}", span)
        if bound is None:
            return None
        twice = {name for name in slots & bound if self._is_temporary(name)}
        if twice:
            self._fail(f"temporaries bound twice: {sorted(twice)}", span)
        return bound | slots

    def _is_temporary(self, name: Slot) -> bool:
        return name in self._known and name not in self._function.captures and _numbered(name)


def _numbered(name: Slot) -> bool:
    return name.startswith("_") and name[1:].isdigit()


def _either(ends: Sequence[Bound]) -> Bound:
    alive = [end for end in ends if end is not None]
    return set[str].intersection(*alive) if alive else None
