"""Which variables a workflow has, and where each of them lives.

A workflow has one scope; a loop's body, the steps of an `except` and a parallel branch have one of
their own each. A name belongs to the outermost scope that assigns it.
https://cloud.google.com/workflows/docs/reference/syntax/variables
"""

from dataclasses import dataclass, field
from typing import Literal, final

from perdure_gcp.workflows.problems import Position
from perdure_gcp.workflows.syntax import (
    Action,
    Assign,
    Branch,
    CallStep,
    Except,
    For,
    Parallel,
    Routine,
    Step,
    Switch,
    Try,
    blocks,
)

__all__ = ["Scope", "ScopeKind", "scopes_of"]

type ScopeKind = Literal["routine", "loop", "except", "branch"]


@final
@dataclass(slots=True)
class Scope:
    """The names that begin to live here: what binds them from outside, and what assigns them."""

    kind: ScopeKind
    outer: "Scope | None"
    bound: dict[str, Position] = field(default_factory=dict[str, Position])
    """Parameters, the names of a loop, the error of an `except`."""
    assigned: dict[str, Position] = field(default_factory=dict[str, Position])
    """Names with the first place that assigns them."""
    shared: frozenset[str] | None = None
    """Of a branch: what it may write of the scopes around it."""

    def owner(self, name: str) -> "Scope | None":
        """The scope that a name belongs to; None if nothing assigns it."""
        found: Scope | None = None
        scope: Scope | None = self
        while scope is not None:
            if name in scope.bound:
                return scope
            if name in scope.assigned:
                found = scope
            scope = scope.outer
        return found


def scopes_of(routine: Routine) -> dict[int, Scope]:
    """The scope in which each step runs, and the one that each block brings, by identity."""
    root = Scope("routine", None)
    root.bound = {parameter.name: routine.position for parameter in routine.parameters}
    found: dict[int, Scope] = {}
    _within(routine.steps, root, found)
    return found


def _within(steps: tuple[Step, ...], scope: Scope, found: dict[int, Scope]) -> None:
    for step in steps:
        found[id(step)] = scope
        for name, place in _assigned(step.action):
            scope.assigned.setdefault(name, place)
        _inside(step.action, scope, found)


def _assigned(action: Action) -> list[tuple[str, Position]]:
    if isinstance(action, Assign):
        return [(item.variable, item.position) for item in action.assignments]
    if isinstance(action, CallStep) and action.result is not None:
        return [(action.result, action.position)]
    return []


def _inside(action: Action, scope: Scope, found: dict[int, Scope]) -> None:
    match action:
        case For():
            _loop(action, Scope("loop", scope), found)
        case Parallel(branches=branches, loop=loop, shared=shared):
            for branch in branches:
                _branch(branch, Scope("branch", scope, shared=frozenset(shared)), found)
            if loop is not None:
                _loop(loop, Scope("branch", scope, shared=frozenset(shared)), found)
        case Try(body=body, handler=handler):
            _within((body,), scope, found)
            if handler is not None:
                _except(handler, Scope("except", scope), found)
        case Switch():
            for block in blocks(action):
                _within(block, scope, found)
        case _:
            for block in blocks(action):
                _within(block, scope, found)


def _loop(loop: For, scope: Scope, found: dict[int, Scope]) -> None:
    found[id(loop)] = scope
    scope.bound[loop.value] = loop.position
    if loop.index is not None:
        scope.bound[loop.index] = loop.position
    _within(loop.steps, scope, found)


def _branch(branch: Branch, scope: Scope, found: dict[int, Scope]) -> None:
    found[id(branch)] = scope
    _within(branch.steps, scope, found)


def _except(handler: Except, scope: Scope, found: dict[int, Scope]) -> None:
    found[id(handler)] = scope
    if handler.name is not None:
        scope.bound[handler.name] = handler.position
    _within(handler.steps, scope, found)
