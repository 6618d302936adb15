"""The states of one scope, made from its regions.

Comes in: nodes and where pure code leads. Goes out: the first edge and the states in program order.
"""

from collections.abc import Iterable, Mapping
from typing import assert_never, final

from perdure.ir import OpKind, Slot
from perdure.machine import ir
from perdure.machine.ir import Edge, Node, Pc, Raised, Scope, State
from perdure.machine.natives import alternatives, is_race, waits_in_site
from perdure.machine.raising import FAILS, Raising
from perdure.machine.regions import Regions, Visible

__all__ = ["Names", "States"]


@final
class Names:
    """Names of states, unique in a machine. A branch's begin with its scope."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def reserve(self, scope: Scope) -> None:
        """Keep the plain names for the nodes of this scope."""
        inside = f"{scope.id}/" if scope.id else ""
        self._taken.update(f"{inside}{pc}" for pc in scope.nodes)

    def fresh(self, name: str) -> str:
        """This name, or the next one free."""
        count, found = 1, name
        while found in self._taken:
            count += 1
            found = f"{name}.{count}"
        self._taken.add(found)
        return found


@final
class States:
    """Makes each state when the first edge to it is made."""

    def __init__(
        self, scope: str, nodes: Mapping[Pc, Node], regions: Regions, names: Names
    ) -> None:
        self._inside = f"{scope}/" if scope else ""
        self._nodes = nodes
        self._regions = regions
        self._names = names
        self._raising = Raising(nodes, regions)
        self._order = {pc: number for number, pc in enumerate(nodes)}
        self._known: dict[tuple[str, Pc], str] = {}
        self._states: dict[str, State] = {}
        self._places: dict[str, tuple[int, int]] = {}
        self._late: dict[str, set[Pc]] = {}
        self._waiting: list[tuple[str, Pc, str]] = []

    def make(self, entry: Pc) -> tuple[Edge, tuple[State, ...]]:
        """The edge to the first state, and all states."""
        start = self._first(entry)
        added: dict[str, frozenset[Pc]] = {}
        while self._waiting or len(added) < len(self._late):
            while self._waiting:
                kind, pc, name = self._waiting.pop()
                self._states[name] = self._state(kind, pc, name)
            # An edge for a late exception may lead to a state that only it leads to, and that one
            # to others, with late exceptions of their own.
            for name, late in [*self._late.items()]:
                if added.get(name) != frozenset(late):
                    added[name] = frozenset(late)
                    self._add_late(name, late)
        order = sorted(self._states, key=lambda name: (self._places[name], name))
        return start, tuple(self._states[name] for name in order)

    # --- edges

    def _named(self, kind: str, pc: Pc, name: str | None = None) -> str:
        """The name of the state of that kind at a pc, which is made later if it is new."""
        known = self._known.get((kind, pc))
        if known is not None:
            return known
        plain = f"{self._inside}{pc}"
        found = plain if name is None else self._names.fresh(f"{self._inside}{name}")
        self._known[kind, pc] = found
        self._places[found] = (self._order.get(pc, len(self._order)), len(self._places))
        self._waiting.append((kind, pc, found))
        return found

    def _visible(self, found: Visible) -> str:
        match found.kind:
            case "run" | "native":
                return self._named("node", found.pc)
            case "loop":
                return self._named("loop", found.pc, f"{found.pc} (loop)")
            case "choose":
                return self._named("choose", found.pc)
            case _:
                assert_never(found.kind)

    def _site_edge(self, pc: Pc) -> Edge | None:
        """From a site that drove on from `pc`."""
        found = self._regions.next[pc]
        if found is None:
            return None
        at = pc if self._regions.settled(pc) is not None else ""
        return Edge(self._visible(found), at)

    def _first(self, pc: Pc) -> Edge:
        """From the start of the scope."""
        node = self._nodes[pc]
        if isinstance(node, ir.Operation | ir.ForkNode) and waits_in_site(node):
            return Edge(self._named("node", pc), pc)
        return self._enter(pc, None)

    def _enter(self, pc: Pc, bind: Slot | None) -> Edge:
        """From a state that is no site.

        Never into a wait: nobody reads the reply of the site that registers one, so what came
        along (a value to bind, a sleep to record) would be lost.
        """
        found, node = self._regions.next[pc], self._nodes[pc]
        if found is not None and self._regions.settled(pc) is not None:
            return Edge(self._visible(found), pc, bind)
        plain = isinstance(node, ir.Block | ir.Catch)
        name = None if plain else f"to {pc}"
        return Edge(self._named("route", pc, name), pc, bind)

    def _error(self, handler: Pc | None) -> Edge:
        """For an error that no site saw."""
        if handler is None:
            return self._failed()
        catch = self._nodes[handler]
        slot = catch.slot if isinstance(catch, ir.Catch) else None
        return self._enter(handler, slot)

    def _failed(self) -> Edge:
        return Edge(self._named("failed", "", "failed"), "")

    def _raised(self, handlers: Iterable[Pc]) -> tuple[Raised, ...]:
        """One entry for each handler a site may report."""
        result: list[Raised] = []
        for handler in sorted(set(handlers), key=lambda pc: self._order.get(pc, len(self._order))):
            edge = self._failed() if handler == FAILS else self._site_edge(handler)
            if edge is not None:
                result.append(Raised(handler, edge))
        return tuple(result)

    # --- states

    def _state(self, kind: str, pc: Pc, name: str) -> State:
        match kind:
            case "node":
                return self._node(pc, name)
            case "loop":
                return self._loop(pc, name)
            case "route":
                return self._route(pc, name)
            case "choose":
                return self._choose(pc, name)
            case "sort":
                span = self._nodes[pc].span
                edge = self._site_edge(pc)
                exits = () if edge is None else (("", edge),)
                return ir.Choose(name, None, exits, (), span)
            case _:
                return ir.Failed(name, next(iter(self._nodes.values())).span)

    def _node(self, pc: Pc, name: str) -> State:
        node = self._nodes[pc]
        match node:
            case ir.Operation() if self._regions.settled(pc) is not None:
                return self._run(node, name)
            case ir.Operation() | ir.ForkNode():
                return self._native(node, name)
            case _:
                return ir.Done(name, node.span)

    def _run(self, node: ir.Operation, name: str) -> ir.Run:
        late = self._raising.behind(node.ok)
        # A handler that itself only raises leads nowhere: the scope fails.
        real = {pc for pc in late if pc != FAILS and self._regions.next[pc] is not None}
        found = self._regions.next[node.ok]
        on_raise = self._raising.before(node.pc)
        if found is not None and found.kind == "choose":
            following = self._site_edge(node.ok)
            self._late.setdefault(self._visible(found), set()).update(late)
        elif found is None and not real:
            following = self._failed()
            on_raise |= late
        elif real or found is None:
            sorted_out = self._named("sort", node.ok, f"{node.pc} done")
            following = Edge(sorted_out, "")
            self._late.setdefault(sorted_out, set()).update(late)
        else:
            following = self._site_edge(node.ok)
            on_raise |= late
        assert following is not None
        raised, error = self._raised(on_raise | {FAILS}), self._error(node.handler)
        return ir.Run(name, node.pc, node.op, following, raised, error, node.span)

    def _loop(self, head: Pc, name: str) -> ir.Route:
        after = self._regions.after[head]
        following = None if after is None else Edge(self._visible(after), "")
        raised = self._raised(self._raising.before(f"loop {head}") | {FAILS})
        node = self._nodes[head]
        target = f"loop {head}"
        return ir.Route(name, target, following, raised, self._lost(node), node.span)

    def _route(self, pc: Pc, name: str) -> ir.Route:
        raised = self._raised(self._raising.behind(pc) | {FAILS})
        node = self._nodes[pc]
        edge = self._site_edge(pc)
        return ir.Route(name, None, edge, raised, self._lost(node), node.span)

    def _lost(self, node: Node) -> Edge:
        return self._error(None if isinstance(node, ir.Catch) else node.handler)

    def _choose(self, pc: Pc, name: str) -> ir.Choose:
        exits: list[tuple[str, Edge]] = []
        for recorded, to in self._regions.exits[pc]:
            edge = self._site_edge(to)
            if edge is not None:
                exits.append((recorded, edge))
        return ir.Choose(name, pc, tuple(exits), (), self._nodes[pc].span)

    def _add_late(self, name: str, late: set[Pc]) -> None:
        state = self._states[name]
        if isinstance(state, ir.Choose):
            self._states[name] = state._replace(raised=self._raised(late))

    def _native(self, node: ir.Operation | ir.ForkNode, name: str) -> State:
        following = self._enter(node.ok, node.target)
        error = self._error(node.handler)
        waits = alternatives(node)
        if waits:
            before = self._raising.before(node.pc) | {FAILS}
            raised = self._raised(before) if waits_in_site(node) else ()
            return ir.Await(
                name,
                node.pc,
                waits,
                is_race(node),
                waits_in_site(node),
                following,
                raised,
                error,
                node.span,
            )
        if isinstance(node, ir.ForkNode):
            branches = node.branches
            return ir.Spawn(
                name,
                node.pc,
                node.fork,
                branches,
                following,
                error,
                node.span,
                node.again,
                node.forked,
            )
        if node.op.kind is OpKind.SLEEP:
            return ir.Sleep(name, node.pc, node.op, following, error, node.span)
        return ir.Child(name, node.pc, node.op, following, error, node.span)
