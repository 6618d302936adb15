"""`try` around operations: handlers are nodes, a `finally` is there once for the normal way, once
for the others.

Comes in: a `Try`. Goes out: its graph in the scope's draft. An exception goes to a `Catch`, which
puts it into a slot; a decision asks the clauses; none of them: it is raised again, to the handler
around. On the other ways out of a `finally` (an exception, `return`, `break`, `continue`) a slot
says where its end goes on.
"""

import ast
from collections.abc import Callable
from typing import TYPE_CHECKING, final

from perdure.ir import Facts, Handler, Slot, Try
from perdure.machine import ir
from perdure.machine.context import NO_FACTS, Context, Jump
from perdure.machine.draft import unique
from perdure.machine.stars import star_clauses

if TYPE_CHECKING:
    from perdure.machine.ir import Pc
    from perdure.machine.lower import Lowering
    from perdure.source import Span

__all__ = ["Final", "lower_try"]

type Copy = Callable[["Pc", "Pc", Context], None]
"""Writes a `finally` at a pc, going on to another, in a context."""


def lower_try(low: "Lowering", statement: Try, entry: "Pc", next: "Pc", context: Context) -> None:
    """`try`, with all its parts."""
    if statement.final:
        _with_final(low, statement, entry, next, context)
    else:
        _with_handlers(low, statement, entry, next, context)


def _with_handlers(
    low: "Lowering", statement: Try, entry: "Pc", next: "Pc", context: Context
) -> None:
    if not statement.handlers:
        orelse = low.draft.fresh()
        low.block(statement.body, entry, orelse, context)
        low.block(statement.orelse, orelse, next, context)
        return
    catch, orelse = low.draft.fresh(), low.draft.fresh()
    low.block(statement.body, entry, orelse, context._replace(handler=catch))
    low.block(statement.orelse, orelse, next, context)
    if statement.star:
        star_clauses(low, statement, catch, next, context)
    else:
        _handlers(low, statement, catch, next, context)


def _handlers(low: "Lowering", statement: Try, catch: "Pc", next: "Pc", context: Context) -> None:
    error, which = low.draft.slot("error"), low.draft.fresh()
    names = [_clause(handler) for handler in statement.handlers]
    title = f"except {', '.join(name for name in names if name)}".rstrip()
    low.draft.add(ir.Catch(catch, error, which, statement.handlers[0].span), title)
    bodies = [low.draft.fresh() for _ in statement.handlers]
    clauses = unique([f"except {name}".rstrip() for name in names])
    exits = [ir.Exit(name, body) for name, body in zip(clauses, bodies, strict=True)]
    types = tuple((e.name, h.type) for e, h in zip(exits, statement.handlers, strict=True))
    if statement.handlers[-1].type is not None:
        again = low.draft.fresh()
        exits.append(ir.Exit("no clause", again))
        low.draft.add(ir.Reraise(again, error, context.handler, statement.span), "raise again")
    choice = ir.MatchErrors(error, types, Facts())
    node = ir.Decision(
        which, choice, tuple(exits), context.handler, context.frame, statement.handlers[0].span
    )
    low.draft.add(node, f"which {title}")
    inside = context._replace(active=error, star=None)
    for handler, clause, body in zip(statement.handlers, clauses, bodies, strict=True):
        low.draft.hints[body] = clause.replace("except", "handle", 1)
        _handler(low, handler, body, next, inside)


def _clause(handler: Handler) -> str:
    match handler.type:
        case None:
            return ""
        case ast.Tuple(elts=types):
            return " or ".join(ast.unparse(one) for one in types)
        case one:
            return ast.unparse(one)


def _handler(low: "Lowering", handler: Handler, entry: "Pc", next: "Pc", context: Context) -> None:
    error = context.active
    if handler.name is None or error is None:
        low.block(handler.body, entry, next, context)
        return
    slot = context.frame.slot(handler.name)
    body = low.draft.fresh()
    low.draft.block(entry, (ir.Bind(slot, error, NO_FACTS),), body, context, handler.span)
    if handler.name not in low.frames.read_outside(context.frame.ref):
        low.block(handler.body, body, next, context)
        return
    final = Final(low, context, handler.span)
    low.block(handler.body, body, final.normal, final.inside(context))

    def unbind(pc: "Pc", after: "Pc", around: Context) -> None:
        low.draft.block(pc, (ir.Unbind((slot,)),), after, around, handler.span)

    unbind(final.normal, next, context)
    final.finish(unbind)


def _with_final(low: "Lowering", statement: Try, entry: "Pc", next: "Pc", context: Context) -> None:
    span = statement.span
    final = Final(low, context, span)
    inner = statement._replace(final=())
    around = final.inside(context)._replace(copied=context.copied)
    once = context.copied
    normal = final.leave("end", lambda: next)() if once else final.normal
    _with_handlers(low, inner, entry, normal, around)
    inside = context._replace(active=None, copied=True)

    def copy(pc: "Pc", after: "Pc", _: Context) -> None:
        low.block(statement.final, pc, after, inside)

    if not once:
        low.block(statement.final, final.normal, next, inside)
    final.finish(copy)


@final
class Final:
    """What happens on each way out of a region, written once for all but the normal one."""

    def __init__(self, low: "Lowering", context: Context, span: "Span") -> None:
        self.low = low
        self.context = context
        self.span = span
        self.normal = low.draft.fresh()
        self.catch = low.draft.fresh()
        self.copy = low.draft.fresh()
        self.error = low.draft.slot("error")
        self.pending = low.draft.slot("pending")
        self.value = low.draft.slot("value")
        self.ways: dict[str, Jump] = {}
        self.keeps: dict[str, Pc] = {}

    def inside(self, context: Context) -> Context:
        """The context of the region."""
        brk = None if context.brk is None else self.leave("break", context.brk)
        cont = None if context.cont is None else self.leave("continue", context.cont)
        return context._replace(handler=self.catch, brk=brk, cont=cont, ret=self.ret)

    def leave(self, name: str, out: Jump) -> Jump:
        """A jump that goes through the copy first."""

        def jump() -> "Pc":
            if name not in self.keeps:
                self.keeps[name] = pc = self.low.draft.fresh()
                self.ways[name] = out
                keep = (ir.Keep(self.pending, name),)
                self.low.draft.block(pc, keep, self.copy, self.context, self.span)
            return self.keeps[name]

        return jump

    def ret(
        self,
        entry: "Pc",
        value: ast.expr | Slot | None,
        facts: Facts,
        context: Context,
        span: "Span",
    ) -> None:
        """`return value` in the region: evaluated there, kept until the copy has run."""
        pc = self.leave("return", self._returned)()
        kept = ast.Constant(None) if value is None else value
        self.low.draft.block(entry, (ir.Bind(self.value, kept, facts),), pc, context, span)

    def _returned(self) -> "Pc":
        pc = self.low.draft.fresh()
        self.context.ret(pc, self.value, NO_FACTS, self.context, self.span)
        return pc

    def finish(self, copy: "Copy", failing: "Copy | None" = None) -> None:
        """Write the copy and what follows it; the ways out are all known now.

        `failing`: what to do instead after an exception, which goes on as the one in `error`.
        """
        draft = self.low.draft
        keep, after, again = draft.fresh(), draft.fresh(), draft.fresh()
        draft.add(ir.Catch(self.catch, self.error, keep, self.span), "finally")
        if failing is not None:
            failing(keep, again, self.context)
        else:
            code = (ir.Keep(self.pending, "raise"),) if self.ways else ()
            draft.block(keep, code, self.copy, self.context, self.span)
        if self.ways or failing is None:
            copy(self.copy, after if self.ways else again, self.context)
        if self.ways:
            exits = tuple(ir.Exit(name, out()) for name, out in self.ways.items())
            if failing is None:
                exits = (ir.Exit("raise", again), *exits)
            node = ir.Decision(
                after,
                ir.Switch(self.pending),
                exits,
                self.context.handler,
                self.context.frame,
                self.span,
            )
            draft.add(node, "after finally")
        draft.add(ir.Reraise(again, self.error, self.context.handler, self.span), "raise again")
