"""`with` on a generator function under `contextmanager` or `asynccontextmanager`.

    @asynccontextmanager
    async def lock(key):             async with lock("a") as held: await work(held)
        held = await take(key)
        try:                         key = "a"; held = take(key)
            yield held               try: <held of the `with`> = held; work(held)
        finally:                     finally: release(key)
            await release(key)

The generator's code stands around the body, in slots of its own for each `with`. The body leaves
it as it left the `with`: by an exception, which is raised at the `yield`, or by going on behind it,
and then where it wanted to go. One that yields in several places, perhaps, or returns, says at run
time where it stands (`sites.managers`): the body is there once.
"""

import ast
from typing import TYPE_CHECKING, NamedTuple, final

from perdure.ir import Argument, Block, Call, ExitKind, Function, Slot, With
from perdure.ir import Exit as Leaving
from perdure.machine import ir
from perdure.machine.class_managers import lower_class
from perdure.machine.context import NO_FACTS, Context
from perdure.machine.helpers import may_stop
from perdure.machine.with_body import Body
from perdure.passes.blocks import children

if TYPE_CHECKING:
    from perdure.ir import Facts
    from perdure.machine.ir import Pc
    from perdure.machine.lower import Lowering
    from perdure.source import Span

__all__ = ["lower_with"]


def lower_with(low: "Lowering", node: With, entry: "Pc", next: "Pc", context: Context) -> None:
    """A `with` around operations."""
    function = None if node.helper is None else low.frames.function(node.helper)
    if node.helper is None:
        lower_class(low, node, entry, next, context)
    elif function is None or not isinstance(node.manager, ast.Call):
        low.draft.refuse("`with` around operations", entry, next, context, node.span)
    elif low.helpers.cycle(node.helper) or node.helper in context.helpers:
        what = "a context manager that opens itself"
        low.draft.refuse(what, entry, next, context, node.span)
    else:
        _Opened(low, node, node.manager, function, context).lower(entry, next)


def _is_simple(body: Block) -> bool:
    """Whether it yields once, whatever happens, and ends by itself."""
    yields = 0
    blocks = [(body, True)]
    while blocks:
        block, surely = blocks.pop()
        for statement in block:
            match statement:
                case Call(helper=ref) if not ref.module:
                    yields += 1
                    if not surely:
                        return False
                case Leaving(kind=ExitKind.RETURN):
                    return False
                case _:
                    pass
            plain = type(statement).__name__ in {"Try", "With", "Deadline", "Unlowered"}
            blocks += [(inner, surely and plain) for inner in children(statement)]
    return yields == 1


@final
class _Yield(NamedTuple):
    """One `yield` of a manager that has several: where it goes on, by which way."""

    behind: "Pc"
    handler: "Pc | None"


@final
class _Opened:
    """One `with`: its manager's frame, and what is at its `yield`."""

    def __init__(
        self,
        low: "Lowering",
        node: With,
        manager: ast.Call,
        function: Function,
        context: Context,
    ) -> None:
        self.low = low
        self.node = node
        self.manager = manager
        self.function = function
        self.context = context
        self.frame = low.frames.manager_frame(function.ref)
        low.draft.own(self.frame.slot(name) for name in function.slots)
        self.body = Body(low, node, context)
        self.stage = low.draft.slot("stage")
        self.yielded = low.draft.slot("yielded")
        self.resume = low.draft.slot("resume")
        self.thrown = low.draft.slot("thrown")
        self.yields: list[_Yield] = []
        self.first = ""
        self.ended = ""
        self.caught = ""
        self.done = ""

    def lower(self, entry: "Pc", next: "Pc") -> None:
        """The manager's code, with the body at its `yield`."""
        low, draft, node = self.low, self.low.draft, self.node
        begin, done = draft.fresh(), draft.fresh()
        own = tuple(sorted(self.frame.slot(name) for name in self.function.slots))
        arguments = (*map(_argument, self.manager.args), *map(_keyword, self.manager.keywords))
        enter = ir.Enter(self.function.parameters, arguments, self.frame, own, node.facts)
        keep = ir.Keep(self.body.pending, "end")
        if _is_simple(self.function.body) and not may_stop(self.function):
            draft.block(entry, (enter, keep), begin, self.context, node.span)
            inside = self._inside(self.context.handler)._replace(yields=self._yield)
            low.block(self.function.body, begin, done, inside)
            self.body.after(done, next)
            return
        code = (enter, keep, ir.Keep(self.stage, "begun"), ir.Keep(self.thrown, ""))
        draft.block(entry, code, begin, self.context, node.span)
        self._any(begin, done, next)

    def _inside(self, handler: "Pc | None") -> Context:
        context = self.context
        return Context(
            self.frame,
            handler,
            None,
            None,
            None,
            context.ret,
            context.copied,
            context.timed,
            helpers=(*context.helpers, self.function.ref),
        )

    def _yield(self, call: Call, entry: "Pc", next: "Pc", inside: Context) -> None:
        """The body of the `with`, at the only `yield` of its manager."""
        draft, start = self.low.draft, self.low.draft.fresh()
        code = (ir.Bind(self.yielded, call.arguments[0].value, call.facts),)
        draft.block(entry, code, start, inside, call.span)
        self.body.lower(start, next, self.yielded, inside.handler, timed=inside.timed)

    # --- a manager that may yield anywhere

    def _any(self, begin: "Pc", done: "Pc", next: "Pc") -> None:
        draft, node = self.low.draft, self.node
        self.done = done
        self.first, self.ended, self.caught, catch, left, again, after = (
            draft.fresh() for _ in range(7)
        )
        is_async = ast.Constant(node.is_async)
        inside = self._inside(catch)._replace(yields=self._yield_any, ret=self._returned)
        self.low.block(self.function.body, begin, done, inside)
        if self.yields:
            self._back(self.ended, "ended")
            draft.add(ir.Catch(self.caught, self.thrown, f"{self.caught} raised", node.span))
            self._back(f"{self.caught} raised", "raised")
        error = draft.slot("error")
        draft.add(ir.Catch(catch, error, left, node.span), f"error in {self.function.ref.qualname}")
        use = ir.Use(error, "left_manager", (self.stage, error, self.thrown, is_async), NO_FACTS)
        draft.block(left, (use,), again, self.context, node.span)
        draft.add(ir.Reraise(again, error, self.context.handler, node.span), "raise again")
        end = ir.Use(None, "end_manager", (self.stage,), NO_FACTS._replace(may_raise=True))
        draft.block(done, (end,), after, self.context, node.span)
        self.body.after(after, next)

    def _returned(
        self,
        entry: "Pc",
        value: ast.expr | Slot | None,
        facts: "Facts",
        context: Context,
        span: "Span",
    ) -> None:
        """`return` in the manager: it has ended."""
        code = () if value is None else (ir.Bind("unused", value, facts),)
        self.low.draft.block(entry, code, self.done, context, span)

    def _yield_any(self, call: Call, entry: "Pc", next: "Pc", inside: Context) -> None:
        """One of several `yield`s, or one that may come again or never."""
        draft, number = self.low.draft, str(len(self.yields))
        which, start, close, never = (draft.fresh() for _ in range(4))
        way = draft.slot("way")
        code = (
            ir.Bind(self.yielded, call.arguments[0].value, call.facts),
            ir.Use(way, "at_yield", (self.stage,), NO_FACTS),
        )
        draft.block(entry, code, which, inside, call.span)
        exits = (ir.Exit("first", start), ir.Exit("again", close))
        choice = ir.Switch(way)
        draft.add(
            ir.Decision(which, choice, exits, inside.handler, inside.frame, call.span), "yield"
        )
        draft.block(start, (ir.Keep(self.resume, number),), self.first, inside, call.span)
        may_raise = NO_FACTS._replace(may_raise=True)
        values = (self.stage, ast.Constant(self.node.is_async))
        closing = ir.Use(self.stage, "yield_again", values, may_raise)
        draft.block(close, (closing,), never, inside, call.span)
        stop = ir.Use(None, "close_manager", (), may_raise)
        draft.block(never, (stop,), self.done, inside, call.span)
        self.yields.append(_Yield(next, inside.handler))
        if number == "0":
            timed = self.low.frames.has_deadlines
            self.body.lower(self.first, self.ended, self.yielded, self.caught, timed=timed)

    def _back(self, entry: "Pc", stage: str) -> None:
        """The body is over: the manager goes on behind the `yield` that it stood at."""
        draft, node, frame = self.low.draft, self.node, self.frame
        which = draft.fresh()
        inside = self._inside(None)
        draft.block(entry, (ir.Keep(self.stage, stage),), which, inside, node.span)
        exits: list[ir.Exit] = []
        for number, one in enumerate(self.yields):
            to = one.behind
            if stage == "raised":
                to = draft.fresh()
                again = ir.Reraise(to, self.thrown, one.handler, node.span)
                draft.add(again, "raise at the yield")
            exits.append(ir.Exit(str(number), to))
        if len(exits) == 1:
            draft.block(which, (), exits[0].to, inside, node.span)
            return
        choice = ir.Switch(self.resume)
        draft.add(ir.Decision(which, choice, tuple(exits), None, frame, node.span), "which yield")


def _argument(written: ast.expr) -> Argument:
    if isinstance(written, ast.Starred):
        return Argument(written.value, star="*")
    return Argument(written)


def _keyword(written: ast.keyword) -> Argument:
    if written.arg is None:
        return Argument(written.value, star="**")
    return Argument(written.value, written.arg)
