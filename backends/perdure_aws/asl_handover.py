"""Hand-over: a long run goes on in another execution of the same machine.

A site at the head of a loop that finds the history long fails by a name of its own:

    head of a loop      perdure.HandOver    -> "hand over"
    "hand over"         Task with a token: starts the next generation, from that head; the first
                        one waits there until the run has ended
    "after hand over"   gives what the run gave

The first state of the machine, given the state of a loop head, fails by the name of that head, and
is caught there. So a run that is short enough sees nothing of all this.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from perdure.codec import Json
from perdure.machine.ir import Route, Run, Scope, State
from perdure.machine.verify import edges_of
from perdure.sites.error_names import HAND_OVER, entered
from perdure_aws import expressions as jsonata
from perdure_aws.asl_waits import hand_over
from perdure_aws.expressions import expression

if TYPE_CHECKING:
    from perdure_aws.asl import ScopeStates

__all__ = ["HandOver", "heads"]

EXECUTION = expression("$states.context.Execution.Name")


def heads(scope: Scope) -> tuple[str, ...]:
    """Sites such that every loop of the scope's states comes by one of them."""
    states = {state.name: state for state in scope.states}
    found: dict[str, None] = {}
    for target in _back_edges(scope, states):
        found.update(dict.fromkeys(_sites_from(target, states)))
    return tuple(name for name in states if name in found)


def _back_edges(scope: Scope, states: Mapping[str, State]) -> Iterator[str]:
    """States that some path from the start comes to twice."""
    assert scope.start is not None, "states are placed"
    done: set[str] = set()
    open_: dict[str, None] = {}
    path = [(scope.start.to, _next(states, scope.start.to))]
    open_[scope.start.to] = None
    while path:
        name, after = path[-1]
        to = next(after, None)
        if to is None:
            path.pop()
            open_.pop(name, None)
            done.add(name)
        elif to in open_:
            yield to
        elif to not in done:
            open_[to] = None
            path.append((to, _next(states, to)))


def _next(states: Mapping[str, State], name: str) -> Iterator[str]:
    return (edge.to for edge in edges_of(states[name]))


def _sites_from(name: str, states: Mapping[str, State]) -> Iterator[str]:
    """The state itself if it is a site, else the sites that come next."""
    pending, seen = [name], set[str]()
    while pending:
        one = pending.pop()
        if one in seen:
            continue
        seen.add(one)
        if isinstance(states[one], Run | Route):
            yield one
        else:
            pending.extend(_next(states, one))


class HandOver:
    """What hand-over adds to the states of a scope; nothing but at the root, and to loops."""

    def __init__(self, scope: "ScopeStates") -> None:
        self._scope = scope
        self._heads = heads(scope.scope) if scope.is_root else ()
        self._state = scope.whole.names.extra("hand over") if self._heads else ""

    def asked(self, name: str) -> dict[str, Json]:
        """What a site is told that may hand over, and the first one, where runs come in."""
        return {"execution": EXECUTION} if name in self._heads else {}

    def catchers(self, name: str) -> Iterator[Json]:
        """Catchers of the head of a loop, and of the first state."""
        said = expression(jsonata.cause("next"))
        if name in self._heads:
            yield {"ErrorEquals": [HAND_OVER], "Output": said, "Next": self._state}
        start = self._scope.scope.start
        if start is not None and start.to == name:
            for head in self._heads:
                if head != name:
                    to = self._scope.name(head)
                    yield {"ErrorEquals": [entered(head)], "Output": said, "Next": to}

    def add(self) -> None:
        """The two states beside the flow's own."""
        if not self._heads:
            return
        after = self._scope.whole.names.extra("after hand over")
        head = self._scope.by_name[self._heads[0]]
        hand_over(self._scope, head, self._state, after)
