"""The body of a `with`, which leaves its manager on every way out.

Comes in: the `with`, where its body begins, which handler it has. Goes out: its graph. On a jump or
`return` a slot says where the end of the manager goes on.
"""

import ast
from typing import TYPE_CHECKING, final

from perdure.ir import Slot, With
from perdure.machine import ir
from perdure.machine.context import NO_FACTS, Context, Jump
from perdure.uses import bound_by_target, uses

if TYPE_CHECKING:
    from perdure.ir import Facts
    from perdure.machine.ir import Pc
    from perdure.machine.lower import Lowering
    from perdure.source import Span

__all__ = ["Body", "bound_as"]


@final
class Body:
    """The body, and the ways that lead out of it."""

    def __init__(self, low: "Lowering", node: With, context: Context) -> None:
        self.low = low
        self.node = node
        self.context = context
        self.pending = low.draft.slot("pending")
        self.value = low.draft.slot("value")
        self.ways: dict[str, Jump] = {}
        self.keeps: dict[str, Pc] = {}
        self.behind: Pc = ""

    def lower(
        self, entry: "Pc", next: "Pc", given: Slot, handler: "Pc | None", *, timed: bool
    ) -> None:
        """At `entry`, with what `as` is given; on all ways but exceptions it goes on to `next`."""
        low, draft, node, outer = self.low, self.low.draft, self.node, self.context
        self.behind, first = next, draft.fresh()
        body = outer._replace(
            handler=handler,
            brk=None if outer.brk is None else self._leave("break", outer.brk),
            cont=None if outer.cont is None else self._leave("continue", outer.cont),
            ret=self._ret,
            timed=timed,
        )
        draft.block(entry, bound_as(node, given, outer), first, body, node.span)
        low.block(node.body, first, next, body)

    def after(self, done: "Pc", next: "Pc") -> None:
        """The manager has ended: on to where the body wanted to go."""
        draft, node, context = self.low.draft, self.node, self.context
        if not self.ways:
            draft.block(done, (), next, context, node.span)
            return
        exits = [ir.Exit("end", next)]
        exits += [ir.Exit(name, out()) for name, out in self.ways.items()]
        choice, handler = ir.Switch(self.pending), context.handler
        decision = ir.Decision(done, choice, tuple(exits), handler, context.frame, node.span)
        draft.add(decision, "after with")

    def _leave(self, name: str, out: Jump) -> Jump:
        """A jump out of the body: the manager ends first."""

        def jump() -> "Pc":
            if name not in self.keeps:
                self.keeps[name] = pc = self.low.draft.fresh()
                self.ways[name] = out
                keep = (ir.Keep(self.pending, name),)
                self.low.draft.block(pc, keep, self.behind, self.context, self.node.span)
            return self.keeps[name]

        return jump

    def _ret(
        self,
        entry: "Pc",
        value: ast.expr | Slot | None,
        facts: "Facts",
        context: Context,
        span: "Span",
    ) -> None:
        """`return value` in the body: evaluated there, kept until the manager has ended."""
        pc = self._leave("return", self._returned)()
        kept = ast.Constant(None) if value is None else value
        self.low.draft.block(entry, (ir.Bind(self.value, kept, facts),), pc, context, span)

    def _returned(self) -> "Pc":
        pc = self.low.draft.fresh()
        self.context.ret(pc, self.value, NO_FACTS, self.context, self.node.span)
        return pc


def bound_as(node: With, given: Slot, context: Context) -> tuple[ir.Code, ...]:
    """`as name`, whatever the target is."""
    frame, target = context.frame, node.name
    match target:
        case None:
            return ()
        case ast.Name(id=name):
            return (ir.Bind(frame.slot(name), given, NO_FACTS),)
        case _:
            name = f"__{given.replace(' ', '_')}"
            frame.add(name, given)
            assign = ast.Assign([target], ast.Name(name, ast.Load()))
            code = ast.fix_missing_locations(ast.copy_location(assign, target))
            reads = uses([target]).reads | {name}
            facts = NO_FACTS._replace(
                reads=frozenset(reads),
                writes=frozenset(bound_by_target(target)),
                may_raise=True,
            )
            return (ir.Statements((code,), facts),)
