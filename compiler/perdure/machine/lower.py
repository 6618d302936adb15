"""From the Flow IR to the graphs of the Machine IR.

Comes in: a verified `Program`. Goes out: `Machines`, one graph per scope and no states yet (`place`
makes them), with a `Refusal` for each statement that this lowering does not take apart.

Control becomes edges: loops are jumps back, handlers are nodes that exceptions go to, a `finally`
is copied at most once, a helper is spliced in where it is called, or shared with a return address
where several call it.
"""

import ast
from collections.abc import Sequence
from typing import TYPE_CHECKING, assert_never

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
    Function,
    Group,
    If,
    Match,
    Op,
    Program,
    Pure,
    Ref,
    Slot,
    Stmt,
    Task,
    Try,
    Unlowered,
    While,
    With,
)
from perdure.machine import ir
from perdure.machine.context import NO_FACTS, Context, Frames
from perdure.machine.deadlines import lower_deadline
from perdure.machine.draft import NOWHERE, Draft, unique
from perdure.machine.escapes import has_bare_raise, leaves
from perdure.machine.forks import lower_fork, lower_operation
from perdure.machine.groups import lower_group, lower_task
from perdure.machine.helpers import Helpers
from perdure.machine.managers import lower_with
from perdure.machine.recursive_forks import RecursiveForks
from perdure.machine.tidy import tidy
from perdure.machine.tries import lower_try

if TYPE_CHECKING:
    from perdure.machine.ir import Pc
    from perdure.source import Span

__all__ = ["Lowering", "lower"]


def lower(program: Program) -> ir.Machines:
    """All flows of the program as machines, the entry flow's first."""
    machines: list[ir.Machine] = []
    refusals: list[ir.Refusal] = []
    for function in program.functions:
        if function.kind == "flow":
            machine = _machine(program, function, refusals)
            machines.append(machine)
    unique = tuple(dict.fromkeys(refusals))
    return ir.Machines(tuple(machines), program.steps, unique)


def _machine(program: Program, function: Function, refusals: list[ir.Refusal]) -> ir.Machine:
    frames = Frames(program, function)
    frame = frames.frame(function.ref)
    lowering = Lowering(frames, "", refusals, RecursiveForks(frames))
    context = Context(frame, None, None, None, None, lowering.end)
    entry = lowering.draft.fresh()
    last = lowering.draft.fresh()
    lowering.helpers.count(function.body)
    lowering.block(function.body, entry, last, context)
    lowering.end(last, None, NO_FACTS, context, function.span)
    params = tuple(frame.slot(p.name) for p in function.parameters)
    root = lowering.finish(entry, "", params, ())
    return ir.Machine(
        function.ref,
        function.parameters,
        function.returns,
        root,
        program.digest,
        function.span,
        function.retried,
    )


class Lowering:
    """The lowering of one scope. Each method puts a graph for something at `entry` that goes on to
    `next`.
    """

    def __init__(
        self,
        frames: Frames,
        scope: str,
        refusals: list[ir.Refusal],
        forks: RecursiveForks,
        above: tuple[Ref, ...] = (),
    ) -> None:
        """`above`: the helpers that the fork is in, whose branch this is."""
        self.forks = forks
        self.frames = frames
        self.scope = scope
        self.refusals = refusals
        self.draft = Draft()
        self.draft.refusals = refusals
        self.helpers = Helpers(self, above)
        self._scopes: dict[str, int] = {}

    def finish(
        self, entry: "Pc", scope: str, params: tuple[Slot, ...], captures: tuple[Slot, ...]
    ) -> ir.Scope:
        """The scope, with readable names and without what is never reached."""
        self.helpers.finish()
        start, nodes = tidy(self.draft, entry, frozenset((*params, *captures)))
        return ir.Scope(scope, start, nodes, params, captures)

    def branch(self, branch: Branch, scope: str, context: Context) -> ir.Scope:
        """A branch of a fork as a scope of its own."""
        inner, frame = self._inner(scope, context), context.frame
        inside = self._inside(inner, context)
        entry, last = inner.draft.fresh(), inner.draft.fresh()
        inner.helpers.count(branch.body)
        inner.block(branch.body, entry, last, inside)
        inner.end(last, branch.value, Facts(reads=_names(branch.value)), inside, branch.span)
        params = tuple(frame.slot(name) for name in branch.params)
        captured = self.frames.captured(branch)
        captures = tuple(frame.slot(name) for name in captured if name in frame.names)
        return inner.finish(entry, scope, params, captures)

    def _inner(self, scope: str, context: Context) -> "Lowering":
        return Lowering(self.frames, scope, self.refusals, self.forks, context.helpers)

    @staticmethod
    def _inside(inner: "Lowering", context: Context) -> Context:
        """The context of a branch's own statements."""
        return Context(
            context.frame,
            None,
            None,
            None,
            None,
            inner.end,
            timed=context.timed,
            helpers=context.helpers,
        )

    def choice_of_branches(
        self, branches: Sequence[Branch], which: Slot, scope: str, context: Context
    ) -> ir.Scope:
        """Several branches as one scope; the slot `which` has the number of the one to run."""
        inner, frame = self._inner(scope, context), context.frame
        draft, inside = inner.draft, self._inside(inner, context)
        entries = [draft.fresh() for _ in branches]
        entry = entries[0] if len(branches) == 1 else draft.fresh()
        params = {which}
        for branch in branches:
            inner.helpers.count(branch.body)
        for branch, begin in zip(branches, entries, strict=True):
            last = draft.fresh()
            inner.block(branch.body, begin, last, inside)
            inner.end(last, branch.value, Facts(reads=_names(branch.value)), inside, branch.span)
            captured = self.frames.captured(branch)
            params |= {frame.slot(name) for name in captured if name in frame.names}
        if len(branches) != 1:
            exits = tuple(ir.Exit(str(n), pc) for n, pc in enumerate(entries))
            span = branches[0].span
            choice = ir.Switch(which)
            draft.add(ir.Decision(entry, choice, exits, None, frame, span), "which task")
        return inner.finish(entry, scope, tuple(sorted(params)), ())

    def fork(self, fork: Fork, entry: "Pc", next: "Pc", context: Context) -> None:
        """A fork."""
        lower_fork(self, fork, entry, next, context)

    def scope_id(self, plain: str) -> str:
        """The id of a branch's scope; in the second copy of a `finally`, "gather[0]~2"."""
        self._scopes[plain] = count = self._scopes.get(plain, 0) + 1
        return plain if count == 1 else f"{plain}~{count}"

    def end(
        self,
        entry: "Pc",
        value: ast.expr | Slot | None,
        facts: Facts,
        context: Context,
        span: "Span",
    ) -> None:
        """`return value` in the flow itself, or the end of a branch."""
        node = ir.Return(entry, value, facts, context.handler, context.frame, span)
        self.draft.add(node, "return")

    def block(self, block: Block, entry: "Pc", next: "Pc", context: Context) -> None:
        """Statements one after the other."""
        if not block:
            # An empty block has no place in the source: the jump goes away again.
            self.draft.block(entry, (), next, context, NOWHERE)
            return
        starts = [entry, *(self.draft.fresh() for _ in block[1:])]
        for index, statement in enumerate(block):
            after = starts[index + 1] if index + 1 < len(block) else next
            self.statement(statement, starts[index], after, context)

    def statement(self, statement: Stmt, entry: "Pc", next: "Pc", context: Context) -> None:
        """One statement of the Flow IR."""
        match statement:
            case Pure():
                self._pure(statement, entry, next, context)
            case Op():
                lower_operation(self, statement, entry, next, context)
            case Call():
                self.helpers.call(statement, entry, next, context)
            case Fork():
                lower_fork(self, statement, entry, next, context)
            case Try():
                lower_try(self, statement, entry, next, context)
            case If():
                self._if(statement, entry, next, context)
            case Match():
                self._match(statement, entry, next, context)
            case While():
                self._while(statement, entry, next, context)
            case For():
                self._for(statement, entry, next, context)
            case Exit():
                self._exit(statement, entry, next, context)
            case Task():
                lower_task(self, statement, entry, next, context)
            case Group():
                lower_group(self, statement, entry, next, context)
            case Deadline():
                lower_deadline(self, statement, entry, next, context)
            case With():
                lower_with(self, statement, entry, next, context)
            case Unlowered(lowered=block) if block:
                self.block(block, entry, next, context)
            case Unlowered():
                self._refuse(statement.what, statement.span, entry, next, context)
            case _:
                assert_never(statement)

    def _refuse(self, what: str, span: "Span", entry: "Pc", next: "Pc", context: Context) -> None:
        self.draft.refuse(what, entry, next, context, span)

    def _pure(self, pure: Pure, entry: "Pc", next: "Pc", context: Context) -> None:
        if leaves(pure.code):
            self._refuse("a jump out of pure statements", pure.span, entry, next, context)
            return
        active = context.active if has_bare_raise(pure.code) else None
        if active is None and has_bare_raise(pure.code):
            self._refuse("a bare `raise` here", pure.span, entry, next, context)
            return
        code: tuple[ir.Code, ...] = (ir.Statements(pure.code, pure.facts, active),)
        if active is not None and context.star is not None:
            code = (_again(context.star, True), *code, _again(context.star, False))
        self.draft.block(entry, code, next, context, pure.span)

    def _if(self, statement: If, entry: "Pc", next: "Pc", context: Context) -> None:
        """An `elif` chain is walked, not recursed into: it may be long."""
        while True:
            then = self.draft.fresh()
            orelse = self.draft.fresh() if statement.orelse else next
            choice = ir.Test(statement.test, statement.facts)
            exits = (ir.Exit("then", then), ir.Exit("else", orelse))
            self._decide(entry, choice, exits, statement.label, context, statement.span)
            self.block(statement.then, then, next, context)
            match statement.orelse:
                case (If() as inner,):
                    statement, entry = inner, orelse
                case ():
                    return
                case _:
                    self.block(statement.orelse, orelse, next, context)
                    return

    def _decide(  # noqa: PLR0917
        self,
        pc: "Pc",
        choice: ir.Choice,
        exits: tuple[ir.Exit, ...],
        label: str,
        context: Context,
        span: "Span",
    ) -> None:
        node = ir.Decision(pc, choice, exits, context.handler, context.frame, span)
        self.draft.add(node, label)

    def _match(self, statement: Match, entry: "Pc", next: "Pc", context: Context) -> None:
        names = unique([case.label for case in statement.cases])
        bodies = [self.draft.fresh() for _ in statement.cases]
        cases = tuple(
            (name, case.pattern, case.guard)
            for name, case in zip(names, statement.cases, strict=True)
        )
        exits = [ir.Exit(name, body) for name, body in zip(names, bodies, strict=True)]
        exits.append(ir.Exit("no case", next))
        choice = ir.MatchCases(statement.subject, cases, statement.facts)
        self._decide(entry, choice, tuple(exits), statement.label, context, statement.span)
        for case, body in zip(statement.cases, bodies, strict=True):
            self.block(case.body, body, next, context)

    def _while(self, statement: While, entry: "Pc", next: "Pc", context: Context) -> None:
        test, body = self.draft.fresh(), self.draft.fresh()
        orelse = self.draft.fresh()
        inside = _in_loop(context, entry, next)
        self.block(statement.before, entry, test, context)
        if isinstance(statement.test, ast.Constant) and statement.test.value is True:
            self.draft.block(test, (), body, context, statement.span)
        else:
            choice = ir.Test(statement.test, statement.facts)
            exits = (ir.Exit("then", body), ir.Exit("else", orelse))
            self._decide(test, choice, exits, statement.label, context, statement.span)
        self.block(statement.body, body, entry, inside)
        self.block(statement.orelse, orelse, next, context)

    def _for(self, statement: For, entry: "Pc", next: "Pc", context: Context) -> None:
        head, body, orelse = self.draft.fresh(), self.draft.fresh(), self.draft.fresh()
        cursor = self.draft.slot("cursor")
        code = ir.Iterate(cursor, statement.iterable, statement.facts)
        self.draft.block(entry, (code,), head, context, statement.span)
        choice = ir.Advance(cursor, statement.target, statement.facts)
        exits = (ir.Exit("item", body), ir.Exit("done", orelse))
        self._decide(head, choice, exits, statement.label, context, statement.span)
        self.block(statement.body, body, head, _in_loop(context, head, next))
        self.block(statement.orelse, orelse, next, context)

    def _exit(self, leave: Exit, entry: "Pc", next: "Pc", context: Context) -> None:
        match leave.kind:
            case ExitKind.RETURN:
                context.ret(entry, leave.value, leave.facts, context, leave.span)
            case ExitKind.BREAK | ExitKind.CONTINUE:
                jump = context.brk if leave.kind is ExitKind.BREAK else context.cont
                if jump is None:
                    self._refuse(f"`{leave.kind}` here", leave.span, entry, next, context)
                    return
                self.draft.block(entry, (), jump(), context, leave.span)
            case ExitKind.RAISE:
                self._raise(leave, entry, next, context)
            case _:
                assert_never(leave.kind)

    def _raise(self, leave: Exit, entry: "Pc", next: "Pc", context: Context) -> None:
        if leave.value is not None:
            node = ir.Raise(
                entry,
                leave.value,
                leave.cause,
                leave.facts,
                context.handler,
                context.frame,
                leave.span,
            )
            self.draft.add(node, "raise")
        elif context.active is not None:
            pc = entry
            if context.star is not None:
                pc = self.draft.fresh()
                self.draft.block(entry, (_again(context.star, True),), pc, context, leave.span)
            again = ir.Reraise(pc, context.active, context.handler, leave.span)
            self.draft.add(again, "raise again")
        else:
            self._refuse("a bare `raise` here", leave.span, entry, next, context)


def _again(star: Slot, again: bool) -> ir.Use:
    """A clause of `except*` raises again what it was given."""
    return ir.Use(None, "again_star", (star, ast.Constant(again)), NO_FACTS)


def _in_loop(context: Context, head: "Pc", after: "Pc") -> Context:
    return context._replace(brk=lambda: after, cont=lambda: head)


def _names(value: ast.expr | None) -> frozenset[str]:
    if value is None:
        return frozenset()
    return frozenset(node.id for node in ast.walk(value) if isinstance(node, ast.Name))
