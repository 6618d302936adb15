"""`timeout`, `timeout_at` and `wait_for` around operations.

Comes in: a `Deadline`. Goes out: its body between two calls of `perdure.sites.deadlines`, however
it is left. The operations inside find out by themselves when they have to give up.
"""

import ast
from typing import TYPE_CHECKING

from perdure.ir import Deadline, Facts
from perdure.machine import ir
from perdure.machine.context import NO_FACTS, Context
from perdure.machine.tries import Final

if TYPE_CHECKING:
    from perdure.machine.ir import Pc
    from perdure.machine.lower import Lowering

__all__ = ["lower_deadline"]


def lower_deadline(
    low: "Lowering", statement: Deadline, entry: "Pc", next: "Pc", context: Context
) -> None:
    """A deadline and what is under it."""
    span, draft = statement.span, low.draft
    slot = None if statement.name is None else context.frame.slot(statement.name)
    values = (
        statement.delay,
        ast.Constant(statement.absolute),
        ast.Constant(statement.wait_for),
    )
    facts: Facts = statement.facts._replace(may_raise=True)
    body = draft.fresh()
    begin = ir.Use(slot, "begin_deadline", values, facts)
    draft.block(entry, (begin,), body, context, span)
    draft.hints[entry] = statement.label
    final = Final(low, context, span)
    low.block(statement.body, body, final.normal, final.inside(context)._replace(timed=True))

    def end(pc: "Pc", after: "Pc", around: Context) -> None:
        code = (ir.Use(None, "end_deadline", (), NO_FACTS),)
        draft.block(pc, code, after, around, span)

    def fail(pc: "Pc", after: "Pc", around: Context) -> None:
        code = (ir.Use(final.error, "fail_deadline", (final.error,), NO_FACTS),)
        draft.block(pc, code, after, around, span)

    end(final.normal, next, context)
    final.finish(end, fail)
