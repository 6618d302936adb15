"""Helpers with operations, compiled into the scope that awaits them.

Comes in: a `Call`. Goes out: the helper's graph, spliced in where one call is all there is;
otherwise one set of nodes for all calls, with a slot that says who called, and a decision that goes
back there.
"""

import ast
from typing import TYPE_CHECKING, NamedTuple, final

from perdure.ir import YIELD, Block, Call, Facts, Fork, Function, Op, Ref, Slot, Task, With
from perdure.machine import ir
from perdure.machine.class_managers import methods
from perdure.machine.context import NO_FACTS, Context, Leave
from perdure.machine.draft import unique
from perdure.machine.reads import inner_blocks
from perdure.machine.regions import components, is_loop
from perdure.machine.values import helpers_of
from perdure.passes.blocks import code_in

if TYPE_CHECKING:
    from perdure.machine.ir import Pc
    from perdure.machine.lower import Lowering
    from perdure.source import Span

__all__ = ["Helpers", "may_stop"]


@final
class _Site(NamedTuple):
    """One of several calls: where it begins, where it goes on, and under which name."""

    call: Call
    target: Slot | None
    entry: "Pc"
    next: "Pc"
    keep: "Pc"
    body: "Pc"
    context: Context
    saves: ir.Saved | None
    """Of a call from within the helper's own recursion."""


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
    own: set[Slot]
    """Of a recursive one: all that belongs to one call of it."""


@final
class _Back(NamedTuple):
    """Where a call is over, and where its slots are as they were."""

    entry: "Pc"
    then: "Pc"


@final
class Helpers:
    """The helpers of one scope."""

    def __init__(self, low: "Lowering", above: tuple[Ref, ...]) -> None:
        self._low = low
        self._above = frozenset(above)
        self._calls: dict[Ref, int] = {}
        self._graph: dict[Ref, dict[Ref, None]] = {}
        self._cycles: dict[Ref, tuple[Ref, ...]] | None = None
        self._shared: dict[Ref, _Shared] = {}
        self._saves = 0

    def count(self, body: Block) -> None:
        """Count the calls of each helper in this scope, and see which are recursive."""
        self._cycles = None
        self._count(body, None)

    def _count(self, body: Block, caller: Ref | None) -> None:
        blocks = [body]
        while blocks:
            for statement in blocks.pop():
                if isinstance(statement, Call):
                    self._count_call(statement.helper, caller)
                elif isinstance(statement, Op):
                    for ref in helpers_of(self._low.frames, statement):
                        self._count_call(ref, caller)
                elif not isinstance(statement, Fork | Task):
                    blocks.extend(inner_blocks(statement))
                if isinstance(statement, With):
                    self._count_manager(statement, caller)

    def _count_call(self, ref: Ref, caller: Ref | None, *, opens: bool = False) -> None:
        """`opens`: a manager, whose code stands around each `with` on it."""
        if caller is not None:
            self._graph[caller][ref] = None
        if not opens:
            self._calls[ref] = self._calls.get(ref, 0) + 1
        function = self._low.frames.function(ref)
        if ref not in self._graph and function is not None:
            self._graph[ref] = {}
            if ref not in self._above:
                self._count(function.body, ref)

    def _count_manager(self, statement: With, caller: Ref | None) -> None:
        if statement.helper is not None:
            self._count_call(statement.helper, caller, opens=True)
        elif statement.is_async:
            for name, calls in (("__aenter__", 1), ("__aexit__", 2)):
                for ref in methods(self._low.frames, name) * calls:
                    self._count_call(ref, caller)

    def cycle(self, ref: Ref) -> tuple[Ref, ...]:
        """The helpers that a recursive one is recursive with, itself too; of others, none."""
        if self._cycles is None:
            graph = {
                caller: tuple(called for called in calls if called in self._graph)
                for caller, calls in self._graph.items()
            }
            cycles = [one for one in components(graph) if is_loop(one, graph)]
            self._cycles = {helper: cycle for cycle in cycles for helper in cycle}
        return self._cycles.get(ref, ())

    def call(self, call: Call, entry: "Pc", next: "Pc", context: Context) -> None:
        """One call of a helper."""
        function = self._low.frames.function(call.helper)
        if call.helper == YIELD and context.yields is not None:
            context.yields(call, entry, next, context)
        elif function is None:
            self._low.draft.refuse("a call of unknown code", entry, next, context, call.span)
        elif call.helper in self._above:
            what = "a helper that calls itself in a branch"
            self._low.draft.refuse(what, entry, next, context, call.span)
        elif self._shares_variables(call.helper):
            what = "a recursion through a nested function and the one around it"
            self._low.draft.refuse(what, entry, next, context, call.span)
        elif self._calls.get(call.helper, 0) <= 1 and not self.cycle(call.helper):
            self._splice(call, function, entry, next, context)
        else:
            self._share(call, function, entry, next, context)

    def _shares_variables(self, ref: Ref) -> bool:
        """Whether the recursion goes through a function and one that has its variables."""
        cycle = self.cycle(ref)
        around = {Ref(one.module, one.qualname.rpartition(".")[0]) for one in cycle}
        return not around.isdisjoint(cycle)

    def _enter(self, call: Call, function: Function, saves: ir.Saved | None = None) -> ir.Enter:
        frames = self._low.frames
        return ir.Enter(
            function.parameters,
            call.arguments,
            frames.frame(function.ref),
            frames.own(function.ref),
            call.facts,
            saves,
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
        draft.own(self._low.frames.own(function.ref))
        handler = self._left(function, context, call.span)
        inside = Context(
            frame,
            handler,
            None,
            None,
            None,
            leave,
            context.copied,
            context.timed,
            helpers=(*context.helpers, function.ref),
        )
        self._low.block(function.body, body, last, inside)
        leave(last, None, NO_FACTS, inside, function.span)

    def _left(self, function: Function, context: Context, span: "Span") -> "Pc | None":
        """The handler of what the helper raises: a StopIteration does not leave a coroutine."""
        if context.handler is None or not may_stop(function):
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
        saves, keep = self._saved(call.helper, context), draft.fresh()
        # One in the recursion is written again when all that it saves is known.
        draft.block(entry, (self._enter(call, function, saves),), keep, context, call.span)
        shared.sites.append(_Site(call, target, entry, next, keep, shared.body, context, saves))
        if first:
            self._body(shared, context)

    def _saved(self, helper: Ref, context: Context) -> ir.Saved | None:
        """Of a call in the recursion: a number; its slots are known when the body is written."""
        if not set(context.helpers) & set(self.cycle(helper)):
            return None
        self._saves += 1
        return ir.Saved(self._saves, frozenset())

    def _new(self, function: Function) -> _Shared:
        draft, name = self._low.draft, function.ref.qualname
        caller = draft.slot(f"{name} caller")
        return _Shared(
            function,
            draft.fresh(),
            draft.fresh(),
            draft.fresh(),
            caller,
            draft.passed(f"{name} value"),
            draft.passed(f"{name} error"),
            [],
            {caller, *self._low.frames.own(function.ref)},
        )

    def _body(self, shared: _Shared, context: Context) -> None:
        leave = self._leave(shared.value, shared.back)
        function = shared.function
        frame = self._low.frames.frame(function.ref)
        timed = self._low.frames.has_deadlines
        helpers = (*context.helpers, function.ref)
        inside = Context(frame, shared.catch, None, None, None, leave, timed=timed, helpers=helpers)
        last = self._low.draft.fresh()
        with self._low.draft.owner(shared.own):
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
        labels = unique([site.call.label for site in shared.sites])
        for site, label in zip(shared.sites, labels, strict=True):
            saves = self._all_saved(site)
            if saves is not None:
                enter = self._enter(site.call, function, saves)
                draft.block(site.entry, (enter,), site.keep, site.context, site.call.span)
            code: tuple[ir.Code, ...] = (ir.Keep(shared.caller, label),)
            draft.block(site.keep, code, site.body, site.context, site.call.span)
            bind, fail = self._restored(site, saves), self._restored(site, saves)
            back.append(ir.Exit(label, bind.entry))
            fails.append(ir.Exit(label, fail.entry))
            code = () if site.target is None else (ir.Bind(site.target, shared.value, NO_FACTS),)
            draft.block(bind.then, code, site.next, site.context, site.call.span)
            handler = site.context.handler
            raising = ir.Reraise(fail.then, shared.error, handler, site.call.span)
            draft.add(raising, "raise again")
        switch = ir.Switch(shared.caller)
        span = function.span
        node = ir.Decision(shared.back, switch, tuple(back), None, frame, span)
        draft.add(node, f"return from {name}")
        caught = again
        if may_stop(function):
            caught = draft.fresh()
            left = ir.Use(shared.error, "left_coroutine", (shared.error,), NO_FACTS)
            draft.add(ir.Block(caught, (left,), again, None, frame, span))
        draft.add(ir.Catch(shared.catch, shared.error, caught, span), f"error in {name}")
        node = ir.Decision(again, switch, tuple(fails), None, frame, span)
        draft.add(node, f"raise from {name}")

    def _all_saved(self, site: _Site) -> ir.Saved | None:
        """With the slots of the call it is in."""
        if site.saves is None:
            return None
        inside = set(self.cycle(site.call.helper))
        caller = next(ref for ref in reversed(site.context.helpers) if ref in inside)
        return site.saves._replace(slots=frozenset(self._shared[caller].own))

    def _restored(self, site: _Site, saves: ir.Saved | None) -> _Back:
        """One way back to a call, where its slots are taken again."""
        draft = self._low.draft
        entry = then = draft.fresh()
        if saves is not None:
            then = draft.fresh()
            code = (ir.Restore(saves.site, saves.slots),)
            draft.block(entry, code, then, site.context, site.call.span)
        return _Back(entry, then)


def may_stop(function: Function) -> bool:
    """Whether it may raise StopIteration: by name, or by `next`."""
    return any(
        isinstance(node, ast.Name) and node.id in {"StopIteration", "next"}
        for code in code_in(function.body)
        for node in ast.walk(code)
    )
