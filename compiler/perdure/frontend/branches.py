"""Parallel branches share nothing: what one writes, neither another nor the code after it may
read.

Also what may not stand in a branch that can be cancelled: broad handlers, and cleanup with
operations.
"""

import ast
from typing import TYPE_CHECKING

from perdure import rules
from perdure.frontend.analysis import CallKind, FunctionKind
from perdure.frontend.meanings import External
from perdure.frontend.mutations import Mutations, roots
from perdure.frontend.state import FoundCall, State, Use
from perdure.ir import Ref

if TYPE_CHECKING:
    from perdure.frontend.walk import Walk

__all__ = ["check"]

_CANCELLING = frozenset({"race", "quorum", "create_task"})
_CANCELLED = frozenset(
    {"builtins.BaseException", "asyncio.CancelledError", "asyncio.exceptions.CancelledError"}
)


def check(walk: "Walk", state: State, mutations: Mutations) -> None:
    """The branches that a function starts, and the child flows it calls."""
    for found in state.calls:
        if found.kind is CallKind.FLOW:
            _flow(walk, state, found, mutations)
        branches = found.kind in (CallKind.HELPER, CallKind.VALUE) or found.native == "map"
        if found.use is Use.AWAIT or not branches:
            continue
        for ref in found.refs:
            called = walk.states.get(ref)
            if called is None or called.func.kind is FunctionKind.FLOW:
                continue
            _shared(walk, state, found, called, mutations)
            _arguments(walk, state, found, called, mutations)
            fork = _cancelling(state, found)
            if fork is not None:
                _cancellable(walk, called, fork)


def _fork_name(found: FoundCall) -> str:
    return (found.fork.native if found.fork else None) or "gather"


# Writes


def _shared(
    walk: "Walk", state: State, found: FoundCall, called: State, mutations: Mutations
) -> None:
    """Names of the enclosing functions that the branch changes."""
    names = called.scope.names
    for name, place in mutations.of(called.ref).items():
        if names is None or name in names.parameters or called.scope.finding(name) is None:
            continue
        reader = _reader(walk, state, found, called, frozenset({name}))
        if reader is None:
            continue
        if isinstance(place, ast.Name):  # bound anew through `nonlocal`
            walk.problem(
                called,
                rules.BRANCH_WRITES_SHARED,
                place,
                name=name,
                reader=reader,
                fork=_fork_name(found),
            )
        else:
            walk.problem(called, rules.CHANGE_ACROSS_BRANCH, place, name=name)


def _arguments(
    walk: "Walk", state: State, found: FoundCall, called: State, mutations: Mutations
) -> None:
    """Values given to the branch that it changes."""
    for name, argument in mutations.changed_arguments(found, called):
        names = roots(argument, found.scope or state.scope)
        if names and _reader(walk, state, found, None, names) is not None:
            place = mutations.of(called.ref)[name]
            walk.problem(called, rules.CHANGE_ACROSS_BRANCH, place, name=name)


def _flow(walk: "Walk", state: State, found: FoundCall, mutations: Mutations) -> None:
    called = walk.states.get(found.refs[0])
    if called is None:
        return
    for name, argument in mutations.changed_arguments(found, called):
        names = roots(argument, found.scope or state.scope)
        if names and _reader(walk, state, found, None, names) is not None:
            place = mutations.of(called.ref)[name]
            flow = called.ref.qualname
            walk.problem(called, rules.CHANGE_ACROSS_FLOW, place, flow=flow, name=name)


def _reader(
    walk: "Walk", state: State, found: FoundCall, called: State | None, names: frozenset[str]
) -> str | None:
    """Who reads one of the names beside or after the branch; None if nobody does."""
    own = state.scope
    if own.names is not None:
        inherited = {name for name in names if name not in own.bindings}
        if state.func.kind is not FunctionKind.FLOW:
            inherited |= names & {*own.names.parameters}
        if any(own.finding(name) is not None for name in inherited):
            return "the caller"
    rebound = _rebound(state, found)
    after = _end(found.fork.node if found.fork else found.node)
    loops = [loop for loop in state.loops if _within(found.node, loop)]
    for name in names - rebound:
        for load in state.loads.get(name, ()):
            later = _start(load) >= after or any(_within(load, loop) for loop in loops)
            if later and not _within(load, found.fork.node if found.fork else found.node):
                return "the code after it"
    if called is not None:
        for other in state.calls:
            if other.use is Use.AWAIT:
                continue
            for ref in other.refs:
                if ref != called.ref and _reads(walk, ref, names):
                    return "another branch"
        if _reads_itself(called, names) and _many(found):
            return "another branch"
    return None


def _reads(walk: "Walk", ref: Ref, names: frozenset[str]) -> bool:
    other = walk.states.get(ref)
    return other is not None and any(
        name in other.loads and name not in other.scope.bindings for name in names
    )


def _reads_itself(called: State, names: frozenset[str]) -> bool:
    """The branch reads what it writes, more than to change it in place."""
    return any(
        isinstance(node, ast.AugAssign)
        and isinstance(node.target, ast.Name)
        and node.target.id in names
        for node in ast.walk(called.node)
    )


def _many(found: FoundCall) -> bool:
    return found.scope is not None and found.scope.names is None


def _rebound(state: State, found: FoundCall) -> frozenset[str]:
    """`xs = await gather(*[f(x) for x in xs])`: the old value is not read afterwards."""
    names: set[str] = set()
    for name, bindings in state.scope.bindings.items():
        for binding in bindings:
            statement = binding.statement
            if isinstance(statement, ast.Assign) and _within(found.node, statement):
                names.add(name)
    return frozenset(names)


# Cancelling


def _cancelling(state: State, found: FoundCall) -> str | None:
    """The fork that may cancel this branch: race, quorum, a TaskGroup; None if none does."""
    if found.fork is not None:
        native = found.fork.native
        if native in _CANCELLING:
            return "TaskGroup" if native == "create_task" else native
        if native == "gather" and _fails_fast(found.fork.node):
            return "gather"
        return None
    for other in state.calls:
        if other.native in _CANCELLING and other.kind is CallKind.NATIVE:
            arguments = (*other.node.args, *(key.value for key in other.node.keywords))
            if any(isinstance(item, ast.Starred | ast.Name) for item in arguments):
                return "TaskGroup" if other.native == "create_task" else other.native
    return None


def _fails_fast(node: ast.Call) -> bool:
    return any(
        key.arg == "fail_fast" and not (isinstance(key.value, ast.Constant) and not key.value.value)
        for key in node.keywords
    )


def _cancellable(walk: "Walk", start: State, fork: str) -> None:
    """The branch and the helpers it awaits."""
    seen: set[Ref] = set()
    pending = [start]
    while pending:
        state = pending.pop()
        if state.ref in seen:
            continue
        seen.add(state.ref)
        for node in state.tries:
            if _pauses_in(state, node.body):
                _handlers(walk, state, node, fork)
            if node.finalbody and _pauses_in(state, node.finalbody):
                walk.problem(
                    state, rules.CLEANUP_IN_BRANCH, node.finalbody[0], keyword="try", fork=fork
                )
        if state.node is not start.node and state.pauses and _is_exit(state):
            walk.problem(state, rules.CLEANUP_IN_BRANCH, state.pauses[0], keyword="with", fork=fork)
        called = (walk.states[ref] for ref in state.callees if ref in walk.states)
        pending.extend(item for item in called if item.func.kind is not FunctionKind.FLOW)


def _is_exit(state: State) -> bool:
    return state.ref.qualname.rpartition(".")[2] == "__aexit__"


def _handlers(walk: "Walk", state: State, node: ast.Try | ast.TryStar, fork: str) -> None:
    for handler in node.handlers:
        if not _catches_cancel(walk, state, handler.type):
            continue
        if _pauses_in(state, handler.body):
            walk.problem(state, rules.CLEANUP_IN_BRANCH, handler.body[0], keyword="try", fork=fork)
        elif not _ends_in_raise(handler) or handler.type is None:
            caught = f"except {ast.unparse(handler.type)}" if handler.type else "except"
            walk.problem(state, rules.BROAD_EXCEPT_IN_BRANCH, handler, handler=caught)


def _ends_in_raise(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def _catches_cancel(walk: "Walk", state: State, node: ast.expr | None) -> bool:
    if node is None:
        return True
    parts = node.elts if isinstance(node, ast.Tuple) else [node]
    for part in parts:
        meaning = walk.resolver.expression(part, state.scope)
        if isinstance(meaning, External) and meaning.dotted in _CANCELLED:
            return True
    return False


# Places


def _pauses_in(state: State, body: list[ast.stmt]) -> bool:
    begin, end = _start(body[0]), _end(body[-1])
    return any(begin <= _start(pause) and _end(pause) <= end for pause in state.pauses)


def _start(node: ast.AST) -> tuple[int, int]:
    return (getattr(node, "lineno", 0), getattr(node, "col_offset", 0))


def _end(node: ast.AST) -> tuple[int, int]:
    return (getattr(node, "end_lineno", 0), getattr(node, "end_col_offset", 0))


def _within(node: ast.AST, outer: ast.AST) -> bool:
    return _start(outer) <= _start(node) and _end(node) <= _end(outer)
