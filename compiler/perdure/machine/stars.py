"""`except*` around operations: every clause has its turn.

    try: ...                     star = begin_star(error)
    except* A as e: f()          if match_star(star, A): e = star.match; f()
    except* B: g()               if match_star(star, B): g()
                                 left = end_star(star); raise it if there is one

An exception in a clause is kept, and the next clause has its turn.
"""

import ast
from typing import TYPE_CHECKING

from perdure.ir import Facts, Handler, Slot, Try
from perdure.machine import ir
from perdure.machine.context import NO_FACTS, Context
from perdure.uses import uses

if TYPE_CHECKING:
    from perdure.machine.ir import Pc
    from perdure.machine.lower import Lowering

__all__ = ["star_clauses"]


def star_clauses(
    low: "Lowering", statement: Try, catch: "Pc", next: "Pc", context: Context
) -> None:
    """The clauses of a `try`, from the catch on."""
    draft, frame, span = low.draft, context.frame, statement.span
    error, star, left = draft.slot("error"), draft.slot("star"), draft.slot("left")
    begin = draft.fresh()
    title = ", ".join(ast.unparse(h.type) for h in statement.handlers if h.type is not None)
    draft.add(ir.Catch(catch, error, begin, span), f"except* {title}")
    name = f"__{star.replace(' ', '_')}"
    frame.add(name, star)
    entry = draft.fresh()
    draft.block(begin, (ir.Use(star, "begin_star", (error,), NO_FACTS),), entry, context, span)
    for handler in statement.handlers:
        after = draft.fresh()
        _clause(low, handler, star, entry, after, context)
        entry = after
    decide, raising = draft.fresh(), draft.fresh()
    ended = ir.Use(left, "end_star", (star,), NO_FACTS)
    kind = draft.slot("left kind")
    asked = ir.Use(kind, "kind_of_error", (left,), NO_FACTS)
    draft.block(entry, (ended, asked), decide, context, span)
    exits = (ir.Exit("raise", raising), ir.Exit("end", next))
    node = ir.Decision(decide, ir.Switch(kind), exits, context.handler, frame, span)
    draft.add(node, f"after except* {title}")
    draft.add(ir.Reraise(raising, left, context.handler, span), "raise the rest")


def _clause(  # noqa: PLR0917
    low: "Lowering", handler: Handler, star: Slot, entry: "Pc", next: "Pc", context: Context
) -> None:
    draft, frame, span = low.draft, context.frame, handler.span
    assert handler.type is not None, "except* has a type"
    matched, caught = draft.slot("matched"), draft.slot("error")
    reads = frozenset(name for name in uses([handler.type]).reads if name in frame.names)
    ask = ir.Use(matched, "match_star", (star, handler.type), Facts(reads=reads))
    decide, body, catch, keep = (draft.fresh() for _ in range(4))
    draft.block(entry, (ask,), decide, context, span)
    exits = (ir.Exit("yes", body), ir.Exit("no", next))
    clause = f"except* {ast.unparse(handler.type)}"
    node = ir.Decision(decide, ir.Switch(matched), exits, context.handler, frame, span)
    draft.add(node, f"which {clause}")
    match, first = draft.slot("match"), draft.fresh()
    code: list[ir.Code] = [ir.Use(match, "match_of_star", (star,), NO_FACTS)]
    if handler.name is not None:
        code.append(ir.Bind(frame.slot(handler.name), match, NO_FACTS))
    draft.block(body, tuple(code), first, context, span)
    draft.hints[body] = clause.replace("except*", "handle*", 1)
    inside = context._replace(handler=catch, active=match, star=star)
    end = next
    if handler.name is not None and handler.name in low.frames.read_outside(frame.ref):
        end = draft.fresh()
        unbind = (ir.Unbind((frame.slot(handler.name),)),)
        draft.block(end, unbind, next, context, span)
    low.block(handler.body, first, end, inside)
    draft.add(ir.Catch(catch, caught, keep, span), f"error in {clause}")
    raised = ir.Use(None, "raised_star", (star, caught), NO_FACTS)
    draft.block(keep, (raised,), end, context, span)
