"""Where calls of recursive helpers put their caller's slots aside, and where they take them again.

Comes in: a scope's nodes. Goes out: `Saves`. What is put aside is what is live behind the
`Restore` of the same call, so both are looked at together.
"""

from collections.abc import Mapping
from typing import NamedTuple, final

from perdure.ir import Slot
from perdure.machine import ir
from perdure.machine.ir import Node, Pc

__all__ = ["Saves", "saved_slots", "saves_of"]


@final
class Saves(NamedTuple):
    """`calls`: the node of each call and what it may save; `restores`: of a call's node, those that
    take it again.
    """

    calls: Mapping[Pc, frozenset[Slot]]
    restores: Mapping[Pc, tuple[Pc, ...]]


def saves_of(nodes: Mapping[Pc, Node]) -> Saves:
    """The calls of recursive helpers among the nodes."""
    calls: dict[Pc, ir.Saved] = {}
    back: dict[int, list[Pc]] = {}
    for pc, node in nodes.items():
        for code in node.code if isinstance(node, ir.Block) else ():
            match code:
                case ir.Enter(saves=ir.Saved() as saves):
                    calls[pc] = saves
                case ir.Restore(site=site):
                    back.setdefault(site, []).append(pc)
                case _:
                    pass
    return Saves(
        {pc: saves.slots for pc, saves in calls.items()},
        {pc: tuple(back.get(saves.site, ())) for pc, saves in calls.items()},
    )


def saved_slots(
    code: ir.Saved | ir.Restore, nodes: Mapping[Pc, Node], live: Mapping[Pc, frozenset[Slot]]
) -> list[Slot]:
    """What the call of a site puts aside: what is live where it is over."""
    found: set[Slot] = set()
    for node in nodes.values():
        if isinstance(node, ir.Block) and any(
            isinstance(one, ir.Restore) and one.site == code.site for one in node.code
        ):
            found |= live[node.next] & code.slots
    return sorted(found)
