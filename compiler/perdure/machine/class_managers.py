"""`with` and `async with` on an object of the project's own class.

    async with Lock(key) as held:    manager = Lock(key); held = manager.__aenter__()
        await work(held)             try: work(held)
                                     except error: if not manager.__aexit__(..., error): raise
                                     else, and on all jumps: manager.__aexit__(None, None, None)

Methods with operations are compiled in like helpers. Which class it is, the object says: a
decision where there are several. `__enter__` and `__exit__` hold no operations, and are called.
"""

import ast
from typing import TYPE_CHECKING, final

from perdure.ir import Argument, Call, Facts, Ref, Slot, With
from perdure.machine import ir
from perdure.machine.context import NO_FACTS, Context, Frames
from perdure.machine.tries import Final
from perdure.machine.with_body import bound_as

if TYPE_CHECKING:
    from perdure.machine.ir import Pc
    from perdure.machine.lower import Lowering

__all__ = ["lower_class", "methods"]

_MAY_RAISE = NO_FACTS._replace(may_raise=True)


def methods(frames: Frames, name: str) -> list[Ref]:
    """The coroutine functions of that name in classes of the program."""
    return [ref for ref in frames.refs() if ref.qualname.rpartition(".")[2] == name]


def lower_class(low: "Lowering", node: With, entry: "Pc", next: "Pc", context: Context) -> None:
    """The statement, with what its manager does."""
    known = methods(low.frames, "__aenter__") or methods(low.frames, "__aexit__")
    if node.is_async and not known:
        what = "an asynchronous context manager that is no class of the project"
        low.draft.refuse(what, entry, next, context, node.span)
        return
    _Opened(low, node, context).lower(entry, next)


@final
class _Opened:
    """One `with`: the slot of its manager."""

    def __init__(self, low: "Lowering", node: With, context: Context) -> None:
        self.low = low
        self.node = node
        self.context = context
        self.manager = low.draft.slot("manager")

    def lower(self, entry: "Pc", next: "Pc") -> None:
        """Enter, the body, and the ends."""
        low, draft, node, context = self.low, self.low.draft, self.node, self.context
        begin, start, body = (draft.fresh() for _ in range(3))
        given = draft.slot("yielded")
        bind = ir.Bind(self.manager, node.manager, node.facts)
        draft.block(entry, (bind,), begin, context, node.span)
        self._enter(begin, start, given)
        final = Final(low, context, node.span)
        inside = final.inside(context)
        draft.block(start, bound_as(node, given, context), body, inside, node.span)
        low.block(node.body, body, final.normal, inside)

        def end(pc: "Pc", after: "Pc", around: Context) -> None:
            self._exit(pc, after, after, None, around)

        def fail(pc: "Pc", after: "Pc", around: Context) -> None:
            self._exit(pc, after, next, final.error, around)

        end(final.normal, next, context)
        final.finish(end, fail)

    def _enter(self, entry: "Pc", next: "Pc", given: Slot) -> None:
        if not self.node.is_async:
            use = ir.Use(given, "enter_manager", (self.manager,), _MAY_RAISE)
            self.low.draft.block(entry, (use,), next, self.context, self.node.span)
            return
        self._method("__aenter__", (), entry, next, given, self.context)

    def _exit(
        self, entry: "Pc", next: "Pc", taken: "Pc", error: Slot | None, context: Context
    ) -> None:
        """`__exit__`; after an error on to `taken` where that one takes it."""
        draft, node = self.low.draft, self.node
        answer, then = draft.slot("answer"), draft.fresh()
        value: ast.expr | Slot = ast.Constant(None) if error is None else error
        if node.is_async:
            arguments, called = draft.slot("arguments"), draft.fresh()
            use = ir.Use(arguments, "exit_arguments", (value,), NO_FACTS)
            draft.block(entry, (use,), called, context, node.span)
            given = (Argument(self._name(arguments), star="*"),)
            self._method("__aexit__", given, called, then, answer, context)
        else:
            use = ir.Use(answer, "exit_manager", (self.manager, value), _MAY_RAISE)
            draft.block(entry, (use,), then, context, node.span)
        if error is None:
            draft.block(then, (), next, context, node.span)
            return
        test = self._name(answer)
        facts = Facts(reads=frozenset({test.id}))
        exits = (ir.Exit("then", taken), ir.Exit("else", next))
        choice = ir.Test(test, facts)
        decision = ir.Decision(then, choice, exits, context.handler, context.frame, node.span)
        draft.add(decision, "if taken by with")

    def _method(  # noqa: PLR0917
        self,
        name: str,
        given: tuple[Argument, ...],
        entry: "Pc",
        next: "Pc",
        target: Slot,
        context: Context,
    ) -> None:
        """A call of the method that the manager's class has."""
        low, draft, node = self.low, self.low.draft, self.node
        refs = methods(low.frames, name)
        known = ast.Tuple([ast.Constant(str(ref)) for ref in refs], ast.Load())
        which, kind = draft.fresh(), draft.slot("kind")
        values = (self.manager, ast.Constant(name), known)
        use = ir.Use(kind, "method_of_manager", values, _MAY_RAISE)
        draft.block(entry, (use,), which, context, node.span)
        entries = [draft.fresh() for _ in refs] if len(refs) > 1 else [which]
        if not refs:
            draft.block(which, (), next, context, node.span)  # no class has it: that raised
        for ref, pc in zip(refs, entries, strict=bool(refs)):
            arguments = (Argument(self._name(self.manager)), *given)
            names = {n.id for a in arguments for n in ast.walk(a.value) if isinstance(n, ast.Name)}
            facts = Facts(reads=frozenset(names))
            result = self._name(target).id
            low.helpers.call(
                Call(ref, ref.qualname, result, arguments, facts, node.span), pc, next, context
            )
        if len(refs) > 1:
            exits = tuple(ir.Exit(str(r), pc) for r, pc in zip(refs, entries, strict=True))
            choice, handler = ir.Switch(kind), context.handler
            decision = ir.Decision(which, choice, exits, handler, context.frame, node.span)
            draft.add(decision, f"which {name}")

    def _name(self, slot: Slot) -> ast.Name:
        """A slot of the lowering's own as a local of the function."""
        name = f"__{slot.replace(' ', '_')}"
        self.context.frame.add(name, slot)
        return ast.Name(name, ast.Load())
