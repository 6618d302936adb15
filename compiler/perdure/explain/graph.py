"""From the states of a machine to what an engine passes and counts: a `Graph` for each scope.

Comes in: a machine whose states are placed, and a target's `Meter`, which says what each state
costs there. Goes out: stops and ways, with counts on both. Nothing here knows an engine.
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple, Protocol, assert_never, final

from perdure.explain.model import Counts, Graph, Stop, Way
from perdure.ir import ForkKind, OpKind
from perdure.machine.ir import (
    Await,
    Child,
    Choose,
    Done,
    Edge,
    Failed,
    Machine,
    Route,
    Run,
    Scope,
    Sleep,
    Spawn,
    State,
)

__all__ = ["Inside", "Left", "Meter", "Native", "graph_of"]

type Native = Await | Sleep | Spawn | Child
type Kind = Literal["next", "decided", "raised", "ended", "lost"]


@final
class Inside(NamedTuple):
    """A scope and where it lies; `spawn` is the fork whose branch it is."""

    machine: Machine
    scope: Scope
    spawn: Spawn | None = None
    outer: "Inside | None" = None

    @property
    def is_forked(self) -> bool:
        """Whether it is a branch that can only be an execution of its own."""
        return self.spawn is not None and self.spawn.forked

    @property
    def is_root(self) -> bool:
        """Whether this is the flow's body."""
        return self.spawn is None

    def state(self, name: str) -> State:
        """The state of that name."""
        return next(state for state in self.scope.states if state.name == name)

    def is_guarded(self, edge: Edge) -> bool:
        """Whether an edge leads to more than the scope's failing."""
        return not isinstance(self.state(edge.to), Failed)


@final
class Left(NamedTuple):
    """What leaving a state costs, and whether the scope ends without a state for it."""

    counts: Counts
    ends: bool = False


class Meter(Protocol):
    """What passing states costs on an engine."""

    def passed(self, inside: Inside, state: State) -> Counts:
        """Of entering a state, up to where it leads."""
        ...

    def performed(self, inside: Inside, state: State) -> Counts:
        """Of its operation, beside that, where an operation costs by itself."""
        ...

    def left(self, inside: Inside, state: State, kind: Kind, name: str, to: State) -> Left:
        """Of a way out of it."""
        ...

    def again(self, inside: Inside, state: State) -> Counts:
        """Of another attempt of its operation; empty if it has one at most."""
        ...

    def each(self, inside: Inside, state: Spawn) -> Counts:
        """Of each branch, beside what the branch passes."""
        ...


def graph_of(inside: Inside, meter: Meter) -> Graph:
    """The graph of a scope, and of the branches in it."""
    start = inside.scope.start
    assert start is not None, "a machine is explained after its states were placed"
    stops = {state.name: _stop(inside, state, meter) for state in inside.scope.states}
    return Graph(inside.scope.id, start.to, stops)


def _stop(inside: Inside, state: State, meter: Meter) -> Stop:
    label, recorded = _operation(inside, state)
    branches: tuple[Graph, ...] = ()
    if isinstance(state, Spawn):
        branches = tuple(
            graph_of(Inside(inside.machine, branch, state, inside), meter)
            for branch in state.branches
        )
    return Stop(
        state.name,
        _kind(state),
        label,
        state.span,
        meter.passed(inside, state),
        meter.performed(inside, state),
        meter.again(inside, state),
        meter.each(inside, state) if isinstance(state, Spawn) else {},
        tuple(_ways(inside, state, meter)),
        branches,
        recorded,
        tuple(one.id for one in state.again) if isinstance(state, Spawn) else (),
    )


def _kind(
    state: State,
) -> Literal["site", "step", "decision", "wait", "fork", "child", "done", "failed"]:
    match state:
        case Run():
            return "step"
        case Route():
            return "site"
        case Choose():
            return "decision"
        case Sleep() | Await():
            return "wait"
        case Spawn():
            return "fork"
        case Child():
            return "child"
        case Done():
            return "done"
        case Failed():
            return "failed"
        case _:
            assert_never(state)


def _operation(inside: Inside, state: State) -> tuple[str | None, bool]:
    """The label of what a state performs, and whether a trace shows it."""
    match state:
        case Run(op=op):
            return op.label, op.kind is not OpKind.PROGRESS
        case Sleep(op=op) | Child(op=op):
            return op.label, True
        case Await(race=True, pc=pc):
            node = inside.scope.nodes[pc]
            return getattr(getattr(node, "fork", None), "label", ""), True
        case Await(alternatives=alternatives):
            return alternatives[0].op.label, True
        case Spawn(fork=fork):
            return (None if fork.kind is ForkKind.GROUP and not fork.label else fork.label), True
        case _:
            return None, False


def _ways(inside: Inside, state: State, meter: Meter) -> Iterator[Way]:
    for kind, name, edge in _edges(inside, state):
        to = inside.state(edge.to)
        left = meter.left(inside, state, kind, name, to)
        failed = isinstance(to, Failed)
        yield Way(kind, name, None if left.ends else edge.to, failed, left.counts)


def _edges(inside: Inside, state: State) -> Iterator[tuple[Kind, str, Edge]]:
    match state:
        case Run() | Route():
            if state.next is not None and inside.is_guarded(state.next):
                yield "next", "", state.next
            for way in state.on_raise:
                yield "raised", way.handler, way.edge
            yield from _ended(inside, state)
            yield "lost", "", state.on_error
        case Choose():
            for name, edge in state.exits:
                yield "decided", name, edge
            for way in state.raised:
                yield "raised", way.handler, way.edge
        case Await():
            yield "next", "", state.next
            for way in state.on_raise:
                yield "raised", way.handler, way.edge
            yield "lost", "", state.on_error
        case Sleep() | Spawn() | Child():
            yield "next", "", state.next
            yield "lost", "", state.on_error
        case Done() | Failed():
            return


def _ended(inside: Inside, state: Run | Route) -> Iterator[tuple[Kind, str, Edge]]:
    """What the waits before a site came to is found out there, and may be for a handler."""
    for native in inside.scope.states:
        if (
            isinstance(native, Await | Sleep | Spawn | Child)
            and native.next.to == state.name
            and native.on_error.to != state.name
            and inside.is_guarded(native.on_error)
        ):
            yield "ended", native.pc, native.on_error
