"""Helpers with operations, compiled into the scope that awaits them.

Comes in: a `Call`. Goes out: the helper's graph, spliced in where one call is all there is;
otherwise one set of nodes for all calls, with a slot that says who called, and a decision that goes
back there.
"""

import ast
from typing import TYPE_CHECKING, NamedTuple, final

from perdure.ir import YIELD, Block, Call, Facts, Fork, Function, Op, Ref, Slot, Task
from perdure.machine import ir
from perdure.machine.context import NO_FACTS, Context, Leave
from perdure.machine.draft import unique
from perdure.machine.reads import inner_blocks
from perdure.machine.values import helpers_of
from perdure.passes.blocks import code_in

if TYPE_CHECKING:
    from perdure.machine.ir import Pc
    from perdure.machine.lower import Lowering
    from perdure.source import Span

__all__ = ["Helpers"]


@final
class _Site(NamedTuple):
    """One of several calls: where it goes on, and under which name."""

    name: str
    target: Slot | None
    next: "Pc"
    keep: "Pc"
    body: "Pc"
    context: Context
    span: "Span"


@final
class _Shared(NamedTuple):
    """A helper that several calls share."""

    function: Function
    body: "Pc"
    back: "Pc"
    catch: "Pc"
    caller: Slot
    value: Slot
    error: Slot
    sites: list[_Site]


@final
class Helpers:
    """The helpers of one scope."""

    def __init__(self, low: "Lowering") -> None:
        self._low = low
        self._calls: dict[Ref, int] = {}
        self._recursive: set[Ref] = set()
        self._shared: dict[Ref, _Shared] = {}

    def count(self, body: Block) -> None:
        """Count the calls of each helper in this scope, and see which are recursive."""
        self._count(body, ())

    def _count(self, body: Block, above: tuple[Ref, ...]) -> None:
        blocks = [body]
        while blocks:
            for statement in blocks.pop():
                if isinstance(statement, Call):
                    self._count_call(statement.helper, above)
                elif isinstance(statement, Op):
                    for ref in helpers_of(self._low.frames, statement):
                        self._count_call(ref, above)
                elif not isinstance(statement, Fork | Task):
                    blocks.extend(inner_blocks(statement))

    def _count_call(self, ref: Ref, above: tuple[Ref, ...]) -> None:
        if ref in above:
            self._recursive.update(above[above.index(ref) :])
        self._calls[ref] = self._calls.get(ref, 0) + 1
        function = self._low.frames.function(ref)
        if self._calls[ref] == 1 and function is not None:
            self._count(function.body, (*above, ref))

    def call(self, call: Call, entry: "Pc", next: "Pc", context: Context) -> None:
        """One call of a helper."""
        function = self._low.frames.function(call.helper)
        if call.helper == YIELD and context.yields is not None:
            context.yields(call, entry, next, context)
        elif function is None:
            self._low.draft.refuse("a call of unknown code", entry, next, context, call.span)
        elif call.helper in self._recursive:
            what = "a helper with operations that calls itself"
            self._low.draft.refuse(what, entry, next, context, call.span)
        elif self._calls.get(call.helper, 0) <= 1:
            self._splice(call, function, entry, next, context)
        else:
            self._share(call, function, entry, next, context)

    def _enter(self, call: Call, function: Function) -> ir.Enter:
        frames = self._low.frames
        return ir.Enter(
            function.parameters,
            call.arguments,
            frames.frame(function.ref),
            frames.own(function.ref),
            call.facts,
        )

    def _splice(
        self, call: Call, function: Function, entry: "Pc", next: "Pc", context: Context
    ) -> None:
        target = None if call.target is None else context.frame.slot(call.target)
        draft = self._low.draft
        body, last = draft.fresh(), draft.fresh()
        draft.block(entry, (self._enter(call, function),), body, context, call.span)
        leave = self._leave(target, next)
        frame = self._low.frames.frame(function.ref)
        handler = self._left(function, context, call.span)
        inside = Context(frame, handler, None, None, None, leave, context.copied, context.timed)
        self._low.block(function.body, body, last, inside)
        leave(last, None, NO_FACTS, inside, function.span)

    def _left(self, function: Function, context: Context, span: "Span") -> "Pc | None":
        """The handler of what the helper raises: a StopIteration does not leave a coroutine."""
        if context.handler is None or not _may_stop(function):
            return context.handler
        draft = self._low.draft
        catch, change, again = draft.fresh(), draft.fresh(), draft.fresh()
        error = draft.slot("error")
        draft.add(ir.Catch(catch, error, change, span), f"error in {function.ref.qualname}")
        left = ir.Use(error, "left_coroutine", (error,), NO_FACTS)
        draft.block(change, (left,), again, context, span)
        draft.add(ir.Reraise(again, error, context.handler, span), "raise again")
        return catch

    def _leave(self, target: Slot | None, next: "Pc") -> Leave:
        """`return value` in the helper: bound to the caller's target."""

        def leave(
            entry: "Pc",
            value: ast.expr | Slot | None,
            facts: Facts,
            context: Context,
            span: "Span",
        ) -> None:
            kept = ast.Constant(None) if value is None else value
            slot = "unused" if target is None else target
            code = () if target is None and value is None else (ir.Bind(slot, kept, facts),)
            self._low.draft.block(entry, code, next, context, span)

        return leave

    def _share(
        self, call: Call, function: Function, entry: "Pc", next: "Pc", context: Context
    ) -> None:
        draft = self._low.draft
        target = None if call.target is None else context.frame.slot(call.target)
        shared = self._shared.get(call.helper)
        first = shared is None
        if shared is None:
            shared = self._shared[call.helper] = self._new(function)
        keep = draft.fresh()
        enter = self._enter(call, function)
        draft.block(entry, (enter,), keep, context, call.span)
        site = _Site(call.label, target, next, keep, shared.body, context, call.span)
        shared.sites.append(site)
        if first:
            self._body(shared)

    def _new(self, function: Function) -> _Shared:
        draft, name = self._low.draft, function.ref.qualname
        return _Shared(
            function,
            draft.fresh(),
            draft.fresh(),
            draft.fresh(),
            draft.slot(f"{name} caller"),
            draft.slot(f"{name} value"),
            draft.slot(f"{name} error"),
            [],
        )

    def _body(self, shared: _Shared) -> None:
        leave = self._leave(shared.value, shared.back)
        function = shared.function
        frame = self._low.frames.frame(function.ref)
        timed = self._low.frames.has_deadlines
        inside = Context(frame, shared.catch, None, None, None, leave, timed=timed)
        last = self._low.draft.fresh()
        self._low.block(function.body, shared.body, last, inside)
        leave(last, None, NO_FACTS, inside, function.span)

    def finish(self) -> None:
        """All calls are known: the ways back can be written."""
        for shared in self._shared.values():
            self._ways_back(shared)

    def _ways_back(self, shared: _Shared) -> None:
        draft, function = self._low.draft, shared.function
        frame, name = self._low.frames.frame(function.ref), function.ref.qualname
        again = draft.fresh()
        back: list[ir.Exit] = []
        fails: list[ir.Exit] = []
        for site, label in zip(shared.sites, unique([s.name for s in shared.sites]), strict=True):
            keep = (ir.Keep(shared.caller, label),)
            draft.block(site.keep, keep, site.body, site.context, site.span)
            bind, fail = draft.fresh(), draft.fresh()
            code = () if site.target is None else (ir.Bind(site.target, shared.value, NO_FACTS),)
            draft.block(bind, code, site.next, site.context, site.span)
            fails.append(ir.Exit(label, fail))
            back.append(ir.Exit(label, bind))
            raising = ir.Reraise(fail, shared.error, site.context.handler, site.span)
            draft.add(raising, "raise again")
        switch = ir.Switch(shared.caller)
        span = function.span
        node = ir.Decision(shared.back, switch, tuple(back), None, frame, span)
        draft.add(node, f"return from {name}")
        caught = again
        if _may_stop(function):
            caught = draft.fresh()
            left = ir.Use(shared.error, "left_coroutine", (shared.error,), NO_FACTS)
            draft.add(ir.Block(caught, (left,), again, None, frame, span))
        draft.add(ir.Catch(shared.catch, shared.error, caught, span), f"error in {name}")
        node = ir.Decision(again, switch, tuple(fails), None, frame, span)
        draft.add(node, f"raise from {name}")


def _may_stop(function: Function) -> bool:
    """Whether it may raise StopIteration: by name, or by `next`."""
    return any(
        isinstance(node, ast.Name) and node.id in {"StopIteration", "next"}
        for code in code_in(function.body)
        for node in ast.walk(code)
    )
