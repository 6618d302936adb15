"""Parallel branches share nothing: what one writes, neither another nor the code after it may
read.

Also what may not stand in a branch that can be cancelled: broad handlers, and cleanup with
operations.
"""

import ast
from typing import TYPE_CHECKING

from perdure import rules
from perdure.frontend.analysis import CallKind, FunctionKind
from perdure.frontend.meanings import Class, External, Instance
from perdure.frontend.mutations import Change
from perdure.frontend.reaching import end_of as _end
from perdure.frontend.reaching import start_of as _start
from perdure.frontend.sharing import Sharing
from perdure.frontend.state import FoundCall, State, Use
from perdure.ir import Ref

if TYPE_CHECKING:
    from perdure.frontend.walk import Walk

__all__ = ["check"]

_CANCELLING = frozenset({"race", "quorum", "create_task"})
_CANCELLED = frozenset(
    {"builtins.BaseException", "asyncio.CancelledError", "asyncio.exceptions.CancelledError"}
)


def check(walk: "Walk", state: State, sharing: Sharing) -> None:
    """The branches that a function starts, and the child flows it calls."""
    for found in state.calls:
        if found.kind is CallKind.FLOW:
            _flow(walk, state, found, sharing)
        branches = found.kind in (CallKind.HELPER, CallKind.VALUE) or found.native == "map"
        if found.use is Use.AWAIT or not branches:
            continue
        for ref in found.refs:
            called = walk.states.get(ref)
            if called is None or called.func.kind is FunctionKind.FLOW:
                continue
            _shared(walk, state, found, called, sharing)
            fork = _cancelling(state, found)
            if fork is not None:
                _cancellable(walk, called, fork)


def _fork_name(found: FoundCall) -> str:
    return (found.fork.native if found.fork else None) or "gather"


# Writes


def _shared(walk: "Walk", state: State, found: FoundCall, called: State, sharing: Sharing) -> None:
    """What the branch changes of what is around it, or of what it is given."""
    told: set[int] = set()
    changes = sorted(sharing.mutations.changed_by(found), key=lambda one: (one.name, one.depth))
    depths = {(id(change.place), change.depth) for change in changes}
    for change in changes:
        place, name = change.place, change.name
        reader = None
        if id(place) not in told:
            reader = sharing.reader(state, found, called, change.origin)
        if reader is None:
            continue
        told.add(id(place))
        fork = _fork_name(found)
        if isinstance(place, ast.Name):  # bound anew through `nonlocal`
            rule = rules.BRANCH_WRITES_SHARED
            walk.problem(change.function, rule, place, name=name, reader=reader, fork=fork)
        else:
            deep = any(depth and where == id(place) for where, depth in depths)
            instead = _instead(walk, change, fork, deep=deep)
            rule = rules.CHANGE_ACROSS_BRANCH
            walk.problem(change.function, rule, place, name=name, instead=instead)


def _instead(walk: "Walk", change: Change, fork: str, *, deep: bool) -> str:
    """What to write, for the type of the value as far as it is known."""
    scope, name = change.function.scope, change.name
    if scope.finding(name) is not scope:
        return f"return the value from the branch, and use the result of the `{fork}`"
    owner = change.function.func.owner
    if owner is not None and name == _first_parameter(change.function):
        made = f"copy.deepcopy(<the {owner.ref.qualname}>)"
        return f"make a copy of the object in the branch (`own = {made}`), and return the copy"
    meaning = walk.resolver.name(scope, name)
    known_type = meaning.type if isinstance(meaning, Instance) else None
    copy = f"copy.deepcopy({name})"
    if isinstance(known_type, Class) and not deep:
        copy = f"copy.copy({name})"
    elif isinstance(known_type, External) and not deep:
        kind = known_type.dotted.removeprefix("builtins.")
        copy = f"{kind}({name})" if kind in ("list", "dict", "set") else copy
    return f"copy it inside the branch (`{name} = {copy}`), and return the copy"


def _first_parameter(state: State) -> str:
    args = state.node.args
    first = [*args.posonlyargs, *args.args][:1]
    return first[0].arg if first else ""


def _flow(walk: "Walk", state: State, found: FoundCall, sharing: Sharing) -> None:
    called = walk.states.get(found.refs[0])
    if called is None:
        return
    told: set[int] = set()
    for change in sharing.mutations.changed_arguments(found, called):
        place = change.place
        if id(place) in told or sharing.reader(state, found, None, change.origin) is None:
            continue
        told.add(id(place))
        flow = called.ref.qualname
        walk.problem(called, rules.CHANGE_ACROSS_FLOW, place, flow=flow, name=change.name)


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
