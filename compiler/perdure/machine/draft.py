"""A scope's graph while it grows: nodes under numbers, with the names they would like to have."""

from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import final

from perdure.ir import Slot
from perdure.machine.context import Context
from perdure.machine.ir import Block, Code, Node, Pc, Refusal
from perdure.source import Span

__all__ = ["NOWHERE", "Draft", "unique"]

NOWHERE = Span("", 1, 0, 1, 0)


@final
class Draft:
    """Nodes in program order. A pc is a number as text until `naming` names it."""

    def __init__(self) -> None:
        self.nodes: dict[Pc, Node] = {}
        self.hints: dict[Pc, str] = {}
        self.refusals: list[Refusal] = []
        self._pcs = 0
        self._slots: dict[str, int] = {}
        self._owners: list[set[Slot]] = []

    def fresh(self) -> Pc:
        """A pc that has no node yet."""
        self._pcs += 1
        return str(self._pcs)

    def slot(self, kind: str) -> Slot:
        """A slot of the lowering's own: "cursor 1"; the blank keeps it apart from locals."""
        number = self._slots[kind] = self._slots.get(kind, 0) + 1
        slot = f"{kind} {number}"
        self.own((slot,))
        return slot

    def own(self, slots: Iterable[Slot]) -> None:
        """Slots that belong to the helpers whose bodies are being lowered."""
        for owner in self._owners:
            owner.update(slots)

    def passed(self, kind: str) -> Slot:
        """A slot of the lowering's own that one helper hands to another: it belongs to none."""
        slot = self.slot(kind)
        for owner in self._owners:
            owner.discard(slot)
        return slot

    @contextmanager
    def owner(self, slots: set[Slot]) -> Generator[None]:
        """What is made meanwhile is noted there too."""
        self._owners.append(slots)
        try:
            yield
        finally:
            self._owners.pop()

    def add(self, node: Node, hint: str = "") -> None:
        """Put a node at its pc."""
        self.nodes[node.pc] = node
        if hint:
            self.hints[node.pc] = hint

    def block(self, pc: Pc, code: tuple[Code, ...], next: Pc, context: Context, span: Span) -> None:
        """Put straight code at a pc; no code is a jump."""
        self.add(Block(pc, code, next, context.handler, context.frame, span))

    def refuse(self, what: str, pc: Pc, next: Pc, context: Context, span: Span) -> None:
        """Note what cannot be lowered, and keep the graph whole."""
        self.refusals.append(Refusal(what, span))
        self.block(pc, (), next, context, span)


def unique(names: Sequence[str]) -> list[str]:
    """The names, later ones of a kind as `name.2`."""
    result: dict[str, None] = {}
    for name in names:
        count, found = 1, name
        while found in result:
            count += 1
            found = f"{name}.{count}"
        result[found] = None
    return list(result)
