"""Where pure code leads: the next thing that an orchestrator sees, from every pure node.

Comes in: a scope's nodes. Goes out: `Regions`. Only edges that pass no operation count, and no
exceptions. Loops of that graph are components; one that does not ride in front of an operation is a
site of its own ("loop").
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple, final

from perdure.machine import ir
from perdure.machine.escapes import has_loop
from perdure.machine.graph import successors
from perdure.machine.ir import Node, Pc
from perdure.machine.natives import runs_in_site

__all__ = ["Regions", "Visible", "components", "is_loop", "regions_of"]


@final
class Visible(NamedTuple):
    """The next visible thing: an operation in a site, a native one or the end, a loop's site, a
    choice.
    """

    kind: Literal["run", "native", "loop", "choose"]
    pc: Pc


@final
class Regions(NamedTuple):
    """`next`: from each pc (None: only exceptions leave). `after`: what follows a loop's head.

    `exits`: of a visible decision, by its pc: (what is recorded, where it leads). `records`: for a
    decision node, the name of the visible decision it belongs to and what each of its exits
    records.
    """

    next: Mapping[Pc, Visible | None]
    after: Mapping[Pc, Visible | None]
    members: Mapping[Pc, tuple[Pc, ...]]
    exits: Mapping[Pc, tuple[tuple[str, Pc], ...]]
    records: Mapping[Pc, tuple[str, Mapping[str, str]]]

    def settled(self, pc: Pc) -> Pc | None:
        """The site whose run the node belongs to: an operation's pc or a loop's id."""
        found = self.next[pc]
        if found is None or found.kind not in {"run", "loop"}:
            return None
        return found.pc if found.kind == "run" else f"loop {found.pc}"


def components[P](graph: Mapping[P, Sequence[P]]) -> Iterator[tuple[P, ...]]:
    """Strongly connected components (Tarjan): those reached before those that reach them."""
    index: dict[P, int] = {}
    low: dict[P, int] = {}
    stack: list[P] = []
    on: set[P] = set()
    for root in graph:
        if root in index:
            continue
        work: list[tuple[P, Iterator[P]]] = [(root, iter(graph[root]))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on.add(root)
        while work:
            pc, following = work[-1]
            for to in following:
                if to not in index:
                    index[to] = low[to] = len(index)
                    stack.append(to)
                    on.add(to)
                    work.append((to, iter(graph[to])))
                    break
                if to in on:
                    low[pc] = min(low[pc], index[to])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[pc])
                if low[pc] == index[pc]:
                    found: list[P] = []
                    while True:
                        one = stack.pop()
                        on.discard(one)
                        found.append(one)
                        if one == pc:
                            break
                    yield tuple(found)


def is_loop[P](component: Sequence[P], graph: Mapping[P, Sequence[P]]) -> bool:
    """Whether control can come back to a component once it is in it."""
    return len(component) > 1 or any(pc in graph[pc] for pc in component)


def regions_of(nodes: Mapping[Pc, Node]) -> Regions:
    """Where each pure node leads."""
    graph = {
        pc: () if isinstance(node, ir.Operation | ir.ForkNode) else successors(node)
        for pc, node in nodes.items()
    }
    order = {pc: number for number, pc in enumerate(nodes)}
    return _Walk(nodes, order).walk(graph)


@final
class _Walk:
    def __init__(self, nodes: Mapping[Pc, Node], order: Mapping[Pc, int]) -> None:
        self.nodes = nodes
        self.order = order
        self.next: dict[Pc, Visible | None] = {}
        self.after: dict[Pc, Visible | None] = {}
        self.members: dict[Pc, tuple[Pc, ...]] = {}
        self.exits: dict[Pc, tuple[tuple[str, Pc], ...]] = {}
        self.records: dict[Pc, tuple[str, Mapping[str, str]]] = {}

    def walk(self, graph: Mapping[Pc, Sequence[Pc]]) -> Regions:
        for component in components(graph):
            if is_loop(component, graph):
                self._loop(component)
            else:
                self._single(next(iter(component)))
        return Regions(self.next, self.after, self.members, self.exits, self.records)

    def _single(self, pc: Pc) -> None:
        node = self.nodes[pc]
        match node:
            case ir.Operation() | ir.ForkNode():
                inside = runs_in_site(node)
                self.next[pc] = Visible("run", pc) if inside else Visible("native", pc)
            case ir.Return():
                self.next[pc] = Visible("native", pc)
            case ir.Raise() | ir.Reraise():
                self.next[pc] = None
            case ir.Catch():
                self.next[pc] = self.next[node.next]
            case ir.Block():
                self._block(node)
            case ir.Decision():
                edges = [(exit.name, exit.to) for exit in node.exits]
                self.next[pc] = self._decide(pc, edges)
                if self.next[pc] == Visible("choose", pc):
                    self.records[pc] = (pc, {name: name for name, _ in edges})

    def _block(self, node: ir.Block) -> None:
        following = self.next[node.next]
        loops = any(isinstance(c, ir.Statements) and has_loop(c.code) for c in node.code)
        if loops and (following is None or following.kind != "run"):
            self.after[node.pc] = following
            self.members[node.pc] = (node.pc,)
            following = Visible("loop", node.pc)
        self.next[node.pc] = following

    def _decide(self, pc: Pc, edges: Sequence[tuple[str, Pc]]) -> Visible | None:
        """What the exits have in common, or the decision itself."""
        leading = [(name, to) for name, to in edges if self.next[to] is not None]
        seen = {self.next[to] for _, to in leading}
        if len(seen) <= 1:
            return next(iter(seen), None)
        self.exits[pc] = tuple(leading)
        return Visible("choose", pc)

    def _loop(self, component: tuple[Pc, ...]) -> None:
        inside = set(component)
        ordered = sorted(component, key=self.order.__getitem__)
        decisions = [pc for pc in ordered if isinstance(self.nodes[pc], ir.Decision)]
        head = (decisions or ordered)[0]
        edges: list[tuple[str, Pc]] = []
        records: dict[Pc, dict[str, str]] = {}
        for pc in decisions:
            node = self.nodes[pc]
            if not isinstance(node, ir.Decision):
                continue
            for exit in node.exits:
                if exit.to not in inside:
                    name = exit.name if pc == head else f"{pc}: {exit.name}"
                    edges.append((name, exit.to))
                    records.setdefault(pc, {})[exit.name] = name
        following = self._decide(head, edges)
        if following == Visible("choose", head):
            for pc, names in records.items():
                self.records[pc] = (head, names)
        if following is None or following.kind != "run":
            self.after[head] = following
            self.members[head] = tuple(ordered)
            following = Visible("loop", head)
        for pc in component:
            self.next[pc] = following
