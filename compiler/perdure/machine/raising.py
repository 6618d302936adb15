"""Which handlers a site may report in `raised`, before its operation and behind it.

Comes in: nodes and regions. Goes out: sets of handlers (`FAILS` for the end of the scope), closed:
driving on from a handler may raise again.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, final

from perdure.machine import ir
from perdure.machine.graph import may_raise, successors
from perdure.machine.ir import Node, Pc
from perdure.machine.natives import operands_may_raise, waits_in_site
from perdure.machine.regions import Regions

__all__ = ["FAILS", "Raising"]

FAILS: Final = ""


@final
class Raising:
    """Sets of handlers, computed when they are asked for."""

    def __init__(self, nodes: Mapping[Pc, Node], regions: Regions) -> None:
        self._nodes = nodes
        self._regions = regions
        self._behind: dict[Pc, frozenset[Pc]] = {}
        self._before = self._prologues()

    def behind(self, pc: Pc) -> frozenset[Pc]:
        """Of driving on from `pc` to the next stop, which holds no loop."""
        return self._closed(self._open(pc))

    def before(self, site: Pc) -> frozenset[Pc]:
        """Of the prologue of a site: an operation's pc or a loop's id; and of its operation."""
        return self._closed(self._before.get(site, frozenset()))

    def _own(self, pc: Pc) -> frozenset[Pc]:
        node = self._nodes[pc]
        if isinstance(node, ir.Catch) or not may_raise(node):
            return frozenset()
        return frozenset({FAILS if node.handler is None else node.handler})

    def _prologues(self) -> dict[Pc, frozenset[Pc]]:
        found: dict[Pc, set[Pc]] = {}
        for pc, node in self._nodes.items():
            site = self._regions.settled(pc)
            if site is not None:
                found.setdefault(site, set()).update(self._own(pc), *self._aside(node, site))
            elif isinstance(node, ir.Operation | ir.ForkNode) and waits_in_site(node):
                found.setdefault(pc, set()).update(self._own(pc))
        return {site: frozenset(handlers) for site, handlers in found.items()}

    def _aside(self, node: Node, site: Pc) -> Iterator[frozenset[Pc]]:
        """Of ways out of a prologue: behind a loop, and to code that only raises."""
        if isinstance(node, ir.Operation | ir.ForkNode):
            return
        for to in successors(node):
            if self._regions.settled(to) != site:
                yield self._open(to)

    def _open(self, start: Pc) -> frozenset[Pc]:
        """Not closed. Nodes that are not settled form no loop: post-order, without recursion."""
        stack = [start]
        while stack:
            pc = stack[-1]
            if pc in self._behind:
                stack.pop()
                continue
            leaf = self._leaf(pc)
            if leaf is not None:
                self._behind[pc] = leaf
                continue
            following = successors(self._nodes[pc])
            missing = [to for to in following if to not in self._behind]
            if missing:
                stack.extend(missing)
                continue
            self._behind[pc] = self._own(pc).union(*(self._behind[to] for to in following))
        return self._behind[start]

    def _leaf(self, pc: Pc) -> frozenset[Pc] | None:
        if self._regions.settled(pc) is not None:
            return frozenset()
        node = self._nodes[pc]
        match node:
            case ir.Operation() | ir.ForkNode():
                silent = waits_in_site(node) or not operands_may_raise(node)
                return frozenset() if silent else self._own(pc)
            case ir.Return():
                # A value that cannot cross fails the scope, whatever is around the `return`.
                return self._own(pc) | {FAILS}
            case _:
                return None

    def _closed(self, handlers: Iterable[Pc]) -> frozenset[Pc]:
        closed = set(handlers)
        waiting = list(closed - {FAILS})
        while waiting:
            fresh = self._open(waiting.pop()) - closed
            closed |= fresh
            waiting.extend(fresh - {FAILS})
        return frozenset(closed)
