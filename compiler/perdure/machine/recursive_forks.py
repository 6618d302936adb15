"""Forks that are recursive: a branch comes to the helper again that the fork is in.

    async def walk(n):                          scope "walk.gather[*]", once:
        return await gather(                        walk's nodes
            *(walk(c) for c in kids(n))             its own fork: again "walk.gather[*]"
        )

Comes in: the functions of a program, a fork. Goes out: whether it is recursive, and where its
branches stand. They are lowered at the first place that comes to them; every other one names them.
"""

from collections.abc import Iterable, Iterator
from typing import final

from perdure.ir import Block, Branch, Call, Op, Ref, Slot, With
from perdure.machine.class_managers import methods
from perdure.machine.context import Frames
from perdure.machine.ir import Again, Frame
from perdure.machine.values import helpers_of
from perdure.passes.blocks import children
from perdure.source import Span

__all__ = ["RecursiveForks"]

type _Place = tuple[int, str, Span]


@final
class RecursiveForks:
    """Those of one machine."""

    def __init__(self, frames: Frames) -> None:
        self._frames = frames
        self._calls: dict[Ref, frozenset[Ref]] = {}
        self._known: dict[_Place, tuple[Again, ...]] = {}
        self._which: dict[_Place, Slot] = {}

    def is_one(self, frame: Frame, branches: Iterable[Branch]) -> bool:
        """Whether a fork in the function of that frame comes to itself in one of its branches."""
        function = self._frames.function(frame.ref)
        if function is None or function.kind == "flow":
            return False
        pending = [ref for branch in branches for ref in self._called(branch.body)]
        seen: set[Ref] = set()
        while pending:
            ref = pending.pop()
            if ref == frame.ref:
                return True
            if ref not in seen:
                seen.add(ref)
                pending.extend(self._calls_of(ref))
        return False

    def known(self, frame: Frame, label: str, span: Span) -> tuple[Again, ...]:
        """The branches of a fork that is lowered already, or is being lowered around this place."""
        return self._known.get((id(frame), label, span), ())

    def note(self, frame: Frame, label: str, span: Span, branches: tuple[Again, ...]) -> None:
        """Its branches will have scopes of these ids; frames live as long as this does."""
        self._known[id(frame), label, span] = branches

    def which(self, frame: Frame, label: str, span: Span, slot: Slot) -> Slot:
        """The slot that tells the tasks of a group apart: one, wherever the group is."""
        return self._which.setdefault((id(frame), label, span), slot)

    def _calls_of(self, ref: Ref) -> frozenset[Ref]:
        if ref not in self._calls:
            function = self._frames.function(ref)
            found = () if function is None or function.kind == "flow" else function.body
            self._calls[ref] = frozenset(self._called(found))
        return self._calls[ref]

    def _called(self, body: Block) -> Iterator[Ref]:
        """The helpers that the code calls, in branches too."""
        blocks = [body]
        while blocks:
            for statement in blocks.pop():
                blocks.extend(children(statement))
                match statement:
                    case Call(helper=helper):
                        yield helper
                    case Op():
                        yield from helpers_of(self._frames, statement)
                    case With(helper=helper) if helper is not None:
                        yield helper
                    case With(is_async=True):
                        for name in ("__aenter__", "__aexit__"):
                            yield from methods(self._frames, name)
                    case _:
                        pass
