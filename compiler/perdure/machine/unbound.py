"""Code that cannot raise, unless a local it reads is unbound there: then it raises.

Comes in: the nodes of a draft. Goes out: the same nodes, with `may_raise` set where a read may
fail.
"""

from collections.abc import Mapping

from perdure.ir import Slot
from perdure.machine import ir
from perdure.machine.bound import Bits, bound_slots
from perdure.machine.effects import effects
from perdure.machine.graph import may_raise
from perdure.machine.ir import Node, Pc

__all__ = ["raising_reads"]


def raising_reads(nodes: Mapping[Pc, Node], entry: Pc, given: frozenset[Slot]) -> dict[Pc, Node]:
    """The nodes, with the reads that may raise marked as such."""
    bits = Bits()
    found = {pc: effects(node) for pc, node in nodes.items()}
    bound = bound_slots(nodes, entry, bits, found, given, handlers=_any_handler)
    result: dict[Pc, Node] = {}
    for pc, node in nodes.items():
        reads = bits.of(found[pc].reads)
        unsure = bool(reads & ~bound.get(pc, 0)) and not may_raise(node)
        result[pc] = _raising(node) if unsure else node
    return result


def _any_handler(node: Node) -> Pc | None:
    return None if isinstance(node, ir.Catch) else node.handler


def _raising(node: Node) -> Node:
    match node:
        case ir.Block():
            return node._replace(code=tuple(map(_raising_code, node.code)))
        case ir.Decision(choice=ir.Test() as test):
            facts = test.facts._replace(may_raise=True)
            return node._replace(choice=test._replace(facts=facts))
        case ir.Return():
            return node._replace(facts=node.facts._replace(may_raise=True))
        case _:
            return node


def _raising_code(code: ir.Code) -> ir.Code:
    match code:
        case ir.Statements() | ir.Bind():
            return code._replace(facts=code.facts._replace(may_raise=True))
        case _:
            return code
