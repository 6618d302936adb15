"""Which slots are live, and which are surely bound, at each pc of a scope.

Comes in: a scope's nodes. Goes out: for each pc the slots that anything after may read, and those
that are bound on every way there. Sets are bits of one int while it is computed.
"""

from collections.abc import Mapping
from heapq import heappop, heappush
from typing import NamedTuple, final

from perdure.ir import Slot
from perdure.machine import ir
from perdure.machine.bound import Bits, bound_slots
from perdure.machine.effects import Effects, effects, item_slots
from perdure.machine.graph import handler_of, successors
from perdure.machine.ir import Node, Pc
from perdure.machine.saves import saves_of

__all__ = ["Slots", "slots_of"]


@final
class Slots(NamedTuple):
    """`live` before each node, `after`: live once an operation's operands are evaluated; `bound`:
    those of both that are bound on every way to the node.
    """

    live: Mapping[Pc, frozenset[Slot]]
    after: Mapping[Pc, frozenset[Slot]]
    bound: Mapping[Pc, frozenset[Slot]]
    effects: Mapping[Pc, Effects]


def slots_of(
    nodes: Mapping[Pc, Node], entry: Pc, params: frozenset[Slot], captured: frozenset[Slot]
) -> Slots:
    """Live and bound slots; `captured` are those the branch's fork had surely bound."""
    bits = Bits()
    found = {pc: effects(node) for pc, node in nodes.items()}
    reads = {pc: bits.of(one.reads) for pc, one in found.items()}
    kills = {pc: bits.of(one.binds | one.unbinds) for pc, one in found.items()}
    live = _live(nodes, bits, reads, kills)
    after = {
        pc: _after(node, nodes, bits, live)
        for pc, node in nodes.items()
        if isinstance(node, ir.Operation | ir.ForkNode)
    }
    # Nobody asks about the others, and all together they grow with the square of the flow.
    bound = {
        pc: value & (live[pc] | after.get(pc, 0))
        for pc, value in bound_slots(nodes, entry, bits, found, params | captured).items()
    }
    cache: dict[int, frozenset[Slot]] = {}

    def names(value: int) -> frozenset[Slot]:
        if value not in cache:
            cache[value] = bits.names(value)
        return cache[value]

    return Slots(
        {pc: names(value) for pc, value in live.items()},
        {pc: names(value) for pc, value in after.items()},
        {pc: names(value) for pc, value in bound.items()},
        found,
    )


def _live(
    nodes: Mapping[Pc, Node], bits: Bits, reads: Mapping[Pc, int], kills: Mapping[Pc, int]
) -> dict[Pc, int]:
    before: dict[Pc, list[Pc]] = {pc: [] for pc in nodes}
    for pc, node in nodes.items():
        handler = handler_of(node)
        for to in (*successors(node), *(() if handler is None else (handler,))):
            before[to].append(pc)
    saves = saves_of(nodes)
    behind = {pc: [successors(nodes[to])[0] for to in back] for pc, back in saves.restores.items()}
    for pc, following in behind.items():
        for to in following:
            before[to].append(pc)
    live = dict.fromkeys(nodes, 0)
    # From the last to the first: what follows is mostly known. Nearly linear.
    order = {pc: number for number, pc in enumerate(nodes)}
    pcs = list(nodes)
    waiting = [-number for number in reversed(range(len(pcs)))]
    queued = set(nodes)
    while waiting:
        pc = pcs[-heappop(waiting)]
        queued.discard(pc)
        node = nodes[pc]
        value = reads[pc] | (_after(node, nodes, bits, live) & ~kills[pc])
        value |= _at_handler(node, nodes, bits, live)
        for to in behind.get(pc, ()):
            value |= live[to] & bits.of(saves.calls[pc])
        if isinstance(node, ir.Catch):
            value &= ~bits.of(frozenset({node.slot}))
        if value != live[pc]:
            live[pc] = value
            fresh = [one for one in before[pc] if one not in queued]
            queued.update(fresh)
            for one in fresh:
                heappush(waiting, -order[one])
    return live


def _after(node: Node, nodes: Mapping[Pc, Node], bits: Bits, live: Mapping[Pc, int]) -> int:
    """Live after the node's own code; of an operation, while it runs."""
    value = 0
    for to in successors(node):
        value |= live[to]
    if isinstance(node, ir.Decision) and isinstance(node.choice, ir.Advance):
        item, *others = (live[exit.to] for exit in node.exits)
        value = item & ~bits.of(item_slots(node))
        for other in others:
            value |= other
    if isinstance(node, ir.Operation | ir.ForkNode):
        if node.target is not None:
            value &= ~bits.of(frozenset({node.target}))
        value |= _at_handler(node, nodes, bits, live)
    if isinstance(node, ir.ForkNode):
        for branch in node.scopes:
            value |= bits.of(frozenset(branch.captures))
    return value


def _at_handler(node: Node, nodes: Mapping[Pc, Node], bits: Bits, live: Mapping[Pc, int]) -> int:
    handler = handler_of(node)
    return 0 if handler is None else live[handler]
