"""Where a run may leave one execution and go on in another: the heads of its loops."""

from collections.abc import Iterator, Mapping

from perdure.machine.ir import Route, Run, Scope, State
from perdure.machine.verify import edges_of

__all__ = ["heads"]


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
