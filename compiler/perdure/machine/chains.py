"""Decisions that a site has come to one after the other, as one choice of the orchestrator.

    if kind == "a": ...          Choose `if kind == "a"`: then -> a, else -> `if kind == "b"`
    elif kind == "b": ...        Choose `if kind == "b"`: then -> b, else -> other
    else: ...

One answer of a site holds both decisions, so that the first choice can look at both. Comes in: a
scope with its states. Goes out: what a choice looks at, and which choices nobody enters any more.
"""

from collections.abc import Iterator
from typing import NamedTuple, final

from perdure.machine.ir import Choose, Edge, Scope
from perdure.machine.verify import edges_of

__all__ = ["Case", "chain_of", "follows", "swallowed"]


@final
class Case(NamedTuple):
    """Where it leads that `decision` came out as `name`."""

    decision: str
    name: str
    edge: Edge


def chain_of(scope: Scope, state: Choose) -> tuple[tuple[Case, ...], Edge | None]:
    """The cases of a choice and of those behind its last exit, and where all else leads."""
    by_name = {one.name: one for one in scope.states}
    cases: list[Case] = []
    seen, last = {state.name}, state
    while True:
        exits = last.exits
        cases += [Case(last.decision or "", name, edge) for name, edge in exits[:-1]]
        if not exits:
            return tuple(cases), None
        following = by_name[exits[-1][1].to]
        if not isinstance(following, Choose) or not _joins(last, following, seen):
            return tuple(cases), exits[-1][1]
        seen.add(following.name)
        last = following


def follows(state: Choose, edge: Edge, to: object) -> bool:
    """Whether an edge out of a choice is looked through, to the choice that it leads to."""
    is_last = bool(state.exits) and state.exits[-1][1] == edge
    return is_last and isinstance(to, Choose) and _joins(state, to, {state.name})


def _joins(state: Choose, following: Choose, seen: set[str]) -> bool:
    """Errors behind an operation are told to the choice that comes first alone."""
    named = state.decision is not None and following.decision is not None
    return named and not following.raised and following.name not in seen


def swallowed(scope: Scope) -> frozenset[str]:
    """The choices that only others lead to, which look through to what is behind them."""
    found = {state.name for state in scope.states if isinstance(state, Choose)}
    found -= {scope.start.to} if scope.start is not None else set()
    found -= set(_entered(scope))
    return frozenset(found)


def _entered(scope: Scope) -> Iterator[str]:
    """The states that an edge enters which is not looked through."""
    by_name = {one.name: one for one in scope.states}
    for state in scope.states:
        if isinstance(state, Choose):
            cases, last = chain_of(scope, state)
            yield from (case.edge.to for case in cases)
            yield from (way.edge.to for way in state.raised)
            if last is not None:
                yield last.to
        else:
            yield from (edge.to for edge in edges_of(by_name[state.name]))
