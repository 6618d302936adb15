"""Which slots are bound on every way to a pc.

Comes in: a scope's nodes and what they do. Goes out: sets of slots, as bits of one int.
"""

from collections.abc import Callable, Mapping
from heapq import heappop, heappush
from typing import final

from perdure.ir import Slot
from perdure.machine import ir
from perdure.machine.effects import Effects, item_slots
from perdure.machine.graph import handler_of, successors
from perdure.machine.ir import Node, Pc
from perdure.machine.saves import saves_of

__all__ = ["Bits", "bound_slots"]


@final
class Bits:
    """Slots as bits."""

    def __init__(self) -> None:
        self._numbers: dict[Slot, int] = {}
        self._names: list[Slot] = []

    def of(self, slots: frozenset[Slot]) -> int:
        """The bits of slots."""
        bits = 0
        for slot in slots:
            number = self._numbers.get(slot)
            if number is None:
                number = self._numbers[slot] = len(self._names)
                self._names.append(slot)
            bits |= 1 << number
        return bits

    def names(self, bits: int) -> frozenset[Slot]:
        """The slots of bits."""
        found: list[Slot] = []
        while bits:
            low = bits & -bits
            found.append(self._names[low.bit_length() - 1])
            bits ^= low
        return frozenset(found)


def bound_slots(
    nodes: Mapping[Pc, Node],
    entry: Pc,
    bits: Bits,
    found: Mapping[Pc, Effects],
    given: frozenset[Slot],
    *,
    handlers: Callable[[Node], Pc | None] = handler_of,
) -> dict[Pc, int]:
    """The slots bound on every way to a pc, as bits; none for a pc that is not reached."""
    binds = {pc: bits.of(one.binds) for pc, one in found.items()}
    loses = {pc: bits.of(one.loses) for pc, one in found.items()}
    bound: dict[Pc, int] = {entry: bits.of(given)}
    # In program order, so that what joins is known before what follows: nearly linear.
    order = {pc: number for number, pc in enumerate(nodes)}
    saves = saves_of(nodes)
    saved = {back: pc for pc, found_at in saves.restores.items() for back in found_at}
    pcs = list(nodes)
    waiting = [order[entry]]
    while waiting:
        pc = pcs[heappop(waiting)]
        node = nodes[pc]
        have = bound[pc]
        if pc in saved:
            # What was put aside is bound as it was at the call, which comes before.
            have |= bound.get(saved[pc], 0) & bits.of(saves.calls[saved[pc]])
            loses[pc] = 0
            have &= ~bits.of(saves.calls[saved[pc]]) | bound.get(saved[pc], 0)
        for to, value in _flows(node, have, binds[pc], loses[pc], bits, handlers(node)):
            known = bound.get(to)
            merged = value if known is None else known & value
            if merged != known:
                bound[to] = merged
                if order[to] not in waiting[:1]:
                    heappush(waiting, order[to])
                for back in saves.restores.get(to, ()):
                    if back in bound:
                        heappush(waiting, order[back])
    return {pc: bound.get(pc, 0) for pc in nodes}


def _flows(  # noqa: PLR0917
    node: Node, have: int, binds: int, loses: int, bits: Bits, handler: Pc | None
) -> list[tuple[Pc, int]]:
    """What is bound on each edge out; at a handler, what was bound before and is not lost."""
    done = (have & ~loses) | binds
    if isinstance(node, ir.Operation | ir.ForkNode) and node.target is not None:
        done |= bits.of(frozenset({node.target}))
    if isinstance(node, ir.Catch):
        done |= bits.of(frozenset({node.slot}))
    flows = [(to, done) for to in successors(node)]
    if isinstance(node, ir.Decision) and isinstance(node.choice, ir.Advance):
        flows[0] = (node.exits[0].to, done | bits.of(item_slots(node)))
    if handler is not None:
        flows.append((handler, have & ~loses))
    return flows
