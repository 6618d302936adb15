"""The executable specification of the Machine IR, run after lowering and after each pass.

Comes in: machines. Nothing goes out; what does not hold is an `InternalError` that names the pass.

- Every pc that a node or a scope mentions is a node of the same scope; handlers are `Catch` nodes.
- Exits of a decision are as its question says, and no name stands twice.
- After placement: names of states are unique in a machine, edges lead to states of their scope,
  only sites are entered at a pc that is not theirs alone, a site's late errors lead somewhere,
  `Choose` exits are what is recorded.
"""

from collections.abc import Iterator

from perdure.machine import ir
from perdure.machine.emit import scopes
from perdure.machine.graph import edges, successors
from perdure.machine.ir import Edge, Machine, Machines, Node, Scope, State
from perdure.machine.printer import format_machine

__all__ = ["problems", "verify"]


def verify(machines: Machines, after: str) -> None:
    """All machines hold what is written above, or `InternalError`."""
    for machine in machines.machines:
        found = list(problems(machine))
        if found:
            from perdure.diagnostics import InternalError

            raise InternalError("\n".join(found), during=after, printed=format_machine(machine))


def problems(machine: Machine) -> Iterator[str]:
    """What does not hold, a line each."""
    names: set[str] = set()
    for scope in scopes(machine.root):
        for problem in (*_graph(scope), *_states(scope)):
            yield f"[{scope.id}] {problem}"
        for state in scope.states:
            if state.name in names:
                yield f"two states are called {state.name!r}"
            names.add(state.name)


def _graph(scope: Scope) -> Iterator[str]:
    if scope.entry not in scope.nodes:
        yield f"the entry {scope.entry!r} is no node"
    for pc, node in scope.nodes.items():
        if node.pc != pc:
            yield f"{pc!r} holds the node {node.pc!r}"
        for to in (*successors(node), *edges(node)):
            if to not in scope.nodes:
                yield f"{pc!r} leads to {to!r}, which is no node"
        if not isinstance(node, ir.Catch) and node.handler is not None:
            handler = scope.nodes.get(node.handler)
            if not isinstance(handler, ir.Catch):
                yield f"the handler of {pc!r} is no Catch: {node.handler!r}"
        yield from _exits(node)


def _exits(node: Node) -> Iterator[str]:
    if not isinstance(node, ir.Decision):
        return
    names = [exit.name for exit in node.exits]
    if len(set(names)) != len(names):
        yield f"{node.pc!r} has two exits of one name"
    match node.choice:
        case ir.Test():
            expected = ["then", "else"]
        case ir.Advance():
            expected = ["item", "done"]
        case ir.MatchCases(cases=cases):
            expected = [*(name for name, _, _ in cases), "no case"]
        case ir.MatchErrors(types=types):
            bare = types[-1][1] is None
            expected = [*(name for name, _ in types), *([] if bare else ["no clause"])]
        case ir.Switch():
            expected = names
    if names != expected:
        yield f"{node.pc!r} has the exits {names}, its question {expected}"


def _states(scope: Scope) -> Iterator[str]:
    if scope.start is None:
        return
    known = {state.name: state for state in scope.states}
    for edge in (scope.start, *(edge for state in scope.states for edge in edges_of(state))):
        if edge.to not in known:
            yield f"an edge leads to {edge.to!r}, which is no state"
        elif edge.at and edge.at not in scope.nodes:
            yield f"an edge enters {edge.to!r} at {edge.at!r}, which is no node"
    for state in scope.states:
        yield from _state(scope, state, known)


def _state(scope: Scope, state: State, known: dict[str, State]) -> Iterator[str]:
    match state:
        case ir.Choose(decision=str(decision)):
            recorded = {
                record
                for name, records in scope.decisions.values()
                if name == decision
                for record in records.values()
            }
            missing = {name for name, _ in state.exits} - recorded
            if missing:
                yield f"{state.name!r} has exits that nobody records: {sorted(missing)}"
        case ir.Run() | ir.Await() | ir.Sleep() | ir.Spawn() | ir.Child():
            if state.pc not in scope.nodes:
                yield f"{state.name!r} is of {state.pc!r}, which is no node"
        case ir.Choose() | ir.Route() | ir.Done() | ir.Failed():
            pass
    for edge in edges_of(state):
        if edge.bind is not None and isinstance(known.get(edge.to), ir.Await):
            yield f"{state.name!r} binds {edge.bind!r} on its way into a wait, which keeps no slots"
    if isinstance(state, ir.Sleep | ir.Spawn | ir.Child | ir.Await):
        entered = known.get(state.next.to)
        if not isinstance(entered, ir.Run | ir.Route | ir.Await):
            yield f"{state.name!r} is no site, but goes on to {state.next.to!r}"


def edges_of(state: State) -> Iterator[Edge]:
    """All edges out of a state."""
    match state:
        case ir.Run() | ir.Route() | ir.Await():
            if state.next is not None:
                yield state.next
            yield from (one.edge for one in state.on_raise)
            yield state.on_error
        case ir.Choose():
            yield from (edge for _, edge in state.exits)
            yield from (one.edge for one in state.raised)
        case ir.Sleep() | ir.Spawn() | ir.Child():
            yield state.next
            yield state.on_error
        case ir.Done() | ir.Failed():
            return
