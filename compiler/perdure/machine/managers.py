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
and then where it wanted to go.
"""

import ast
from typing import TYPE_CHECKING, final

from perdure.ir import Argument, Block, Call, ExitKind, Function, Slot, With
from perdure.ir import Exit as Leaving
from perdure.machine import ir
from perdure.machine.context import NO_FACTS, Context, Jump
from perdure.passes.blocks import children
from perdure.uses import bound_by_target, uses

if TYPE_CHECKING:
    from perdure.ir import Facts
    from perdure.machine.ir import Pc
    from perdure.machine.lower import Lowering
    from perdure.source import Span

__all__ = ["lower_with"]


def lower_with(low: "Lowering", node: With, entry: "Pc", next: "Pc", context: Context) -> None:
    """A `with` around operations."""
    function = None if node.helper is None else low.frames.function(node.helper)
    if function is None or not isinstance(node.manager, ast.Call):
        low.draft.refuse("`with` around operations", entry, next, context, node.span)
        return
    problem = _problem(function.body)
    if problem is not None:
        low.draft.refuse(problem, entry, next, context, node.span)
        return
    _Opened(low, node, node.manager, function, context).lower(entry, next)


def _problem(body: Block) -> str | None:
    """What keeps the manager from being taken apart: it must yield once, whatever happens."""
    yields = 0
    blocks = [(body, True)]
    while blocks:
        block, surely = blocks.pop()
        for statement in block:
            match statement:
                case Call(helper=ref) if not ref.module:
                    yields += 1
                    if not surely:
                        return "a context manager whose `yield` is conditional"
                case Leaving(kind=ExitKind.RETURN):
                    return "a context manager with `return`"
                case _:
                    pass
            plain = type(statement).__name__ in {"Try", "With", "Deadline", "Unlowered"}
            blocks += [(inner, surely and plain) for inner in children(statement)]
    return None if yields == 1 else "a context manager that does not yield exactly once"


@final
class _Opened:
    """One `with`: its manager's frame, and the ways that lead out of its body."""

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
        self.pending = low.draft.slot("pending")
        self.value = low.draft.slot("value")
        self.ways: dict[str, Jump] = {}
        self.keeps: dict[str, Pc] = {}
        self.behind: Pc = ""

    def lower(self, entry: "Pc", next: "Pc") -> None:
        """The manager's code, with the body at its `yield`."""
        low, draft, node, context = self.low, self.low.draft, self.node, self.context
        body, done = draft.fresh(), draft.fresh()
        own = tuple(sorted(self.frame.slot(name) for name in self.function.slots))
        arguments = (*map(_argument, self.manager.args), *map(_keyword, self.manager.keywords))
        enter = ir.Enter(self.function.parameters, arguments, self.frame, own, node.facts)
        keep = ir.Keep(self.pending, "end")
        draft.block(entry, (enter, keep), body, context, node.span)
        inside = Context(
            self.frame,
            context.handler,
            None,
            None,
            None,
            context.ret,
            context.copied,
            context.timed,
            yields=self._yield,
            helpers=context.helpers,
        )
        low.block(self.function.body, body, done, inside)
        if not self.ways:
            draft.block(done, (), next, context, node.span)
            return
        exits = [ir.Exit("end", next)]
        exits += [ir.Exit(name, out()) for name, out in self.ways.items()]
        choice = ir.Switch(self.pending)
        decision = ir.Decision(
            done, choice, tuple(exits), context.handler, context.frame, node.span
        )
        draft.add(decision, "after with")

    def _yield(self, call: Call, entry: "Pc", next: "Pc", inside: Context) -> None:
        """The body of the `with`, at the `yield` of its manager."""
        low, draft, node, outer = self.low, self.low.draft, self.node, self.context
        self.behind = next
        given, first = draft.slot("yielded"), draft.fresh()
        code = (ir.Bind(given, call.arguments[0].value, call.facts),)
        start = draft.fresh()
        draft.block(entry, code, start, inside, call.span)
        draft.block(start, self._bound(given), first, outer, node.span)
        body = outer._replace(
            handler=inside.handler,
            brk=None if outer.brk is None else self._leave("break", outer.brk),
            cont=None if outer.cont is None else self._leave("continue", outer.cont),
            ret=self._ret,
            timed=inside.timed,
        )
        low.block(node.body, first, next, body)

    def _bound(self, given: Slot) -> tuple[ir.Code, ...]:
        """`as name`, whatever the target is."""
        frame, target = self.context.frame, self.node.name
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


def _argument(written: ast.expr) -> Argument:
    if isinstance(written, ast.Starred):
        return Argument(written.value, star="*")
    return Argument(written)


def _keyword(written: ast.keyword) -> Argument:
    if written.arg is None:
        return Argument(written.value, star="**")
    return Argument(written.value, written.arg)
