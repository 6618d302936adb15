"""From a scope's graph to the states an orchestrator runs: which Python rides with which operation.

Comes in: machines without states. Goes out: the same with `start`, `states`, `live`, `settled`,
`decisions` and `repeating`. Pure code rides in front of the operation it leads to; what the next
decision needs rides behind the operation before it; what stands between two native states, or loops
before a decision, is a `Route`.
"""

from perdure.machine import ir
from perdure.machine.graph import edges
from perdure.machine.ir import Machine, Machines, Node, Pc, Scope
from perdure.machine.live import Slots, slots_of
from perdure.machine.natives import runs_in_site, waits_in_site
from perdure.machine.regions import Regions, components, is_loop, regions_of
from perdure.machine.states import Names, States

__all__ = ["place"]


def place(machines: Machines) -> Machines:
    """All machines with their states."""
    return machines._replace(machines=tuple(map(_machine, machines.machines)))


def _machine(machine: Machine) -> Machine:
    return machine._replace(root=_scope(machine.root, Names(), frozenset()))


def _scope(scope: Scope, names: Names, captured: frozenset[str]) -> Scope:
    """The scope with states, its branches first: they are inside its nodes."""
    params = frozenset(scope.params)
    slots = slots_of(scope.nodes, scope.entry, params, captured)
    names.reserve(scope)
    nodes = {pc: _branches(node, names, slots) for pc, node in scope.nodes.items()}
    regions = regions_of(nodes)
    states = States(scope.id, nodes, regions, names)
    start, found = states.make(scope.entry)
    return scope._replace(
        nodes=nodes,
        live=_live(nodes, slots),
        bound=slots.bound,
        settled=_settled(nodes, regions),
        decisions=regions.records,
        repeating=_repeating(nodes),
        start=start,
        states=found,
    )


def _branches(node: Node, names: Names, slots: Slots) -> Node:
    if not isinstance(node, ir.ForkNode) or not node.branches:
        return node
    # Of a recursive fork, other places come to its branches too.
    captured = frozenset[str]() if node.forked else slots.bound[node.pc]
    branches = tuple(
        _scope(branch, names, captured & frozenset(branch.captures)) for branch in node.branches
    )
    return node._replace(branches=branches)


def _live(nodes: dict[Pc, Node], slots: Slots) -> dict[Pc, frozenset[str]]:
    return {pc: _live_at(node, slots) for pc, node in nodes.items()}


def _live_at(node: Node, slots: Slots) -> frozenset[str]:
    """A site that stops where a handler begins has caught the exception already."""
    if isinstance(node, ir.Catch):
        return slots.live[node.next]
    return slots.after[node.pc] if _reports_operands(node) else slots.live[node.pc]


def _reports_operands(node: Node) -> bool:
    """Whether a site stops there with the operands evaluated."""
    match node:
        case ir.Operation() | ir.ForkNode():
            return not waits_in_site(node) and not runs_in_site(node)
        case _:
            return False


def _settled(nodes: dict[Pc, Node], regions: Regions) -> dict[Pc, Pc]:
    found = {pc: regions.settled(pc) for pc in nodes}
    return {pc: site for pc, site in found.items() if site is not None}


def _repeating(nodes: dict[Pc, Node]) -> frozenset[str]:
    """Labels in a loop of the whole graph, and those of several nodes."""
    graph = {pc: tuple(edges(node)) for pc, node in nodes.items()}
    looping = {
        pc for component in components(graph) if is_loop(component, graph) for pc in component
    }
    seen: set[str] = set()
    repeating: set[str] = set()
    for pc, node in nodes.items():
        match node:
            case ir.Operation(op=op):
                label = op.label
            case ir.ForkNode(fork=fork):
                label = fork.label
            case _:
                continue
        if label in seen or pc in looping:
            repeating.add(label)
        seen.add(label)
    return frozenset(repeating)
