"""From what the walk noted to an `Analysis`: which functions hold operations, labels, sites,
facts.

Labels come from the source: the name called, numbered within its function where it occurs again,
prefixed by the function's qualname everywhere but in a flow's own body.
"""

import ast
from typing import TYPE_CHECKING

from perdure.frontend.analysis import (
    OPERATIONS,
    Analysis,
    CallFact,
    CallKind,
    FunctionInfo,
    FunctionKind,
    StepFact,
    TableFact,
)
from perdure.frontend.meanings import Func
from perdure.frontend.state import FoundCall, State, Use
from perdure.ir import Ref
from perdure.runtime.site import Site

if TYPE_CHECKING:
    from perdure.frontend.walk import Walk

__all__ = ["settle"]

_NO_SITE = frozenset({"this_run", "run", "create_task", "semaphore"})
_MAKERS = frozenset({CallKind.STEP, CallKind.FLOW, CallKind.TABLE, CallKind.VALUE})


def settle(walk: "Walk", analysis: Analysis) -> None:
    """Fill the analysis from the finished walk."""
    _values(walk)
    _spread_operations(walk)
    _find_recursion(walk)
    analysis.modules.update(walk.modules)
    analysis.names = walk.names
    counts: dict[tuple[str, str], int] = {}
    sites: dict[str, list[Site]] = {name: [] for name in walk.modules}
    for state in walk.states.values():
        _calls(walk, state, analysis, counts, sites[state.module.name])
    analysis.sites = {name: tuple(found) for name, found in sites.items()}
    for state in walk.states.values():
        info = _info(state)
        analysis.functions[state.ref] = analysis.by_node[id(state.node)] = info
    _steps(walk, analysis)
    for table in walk.tables.values():
        keys = tuple((key, func.ref) for key, func in table.keys)
        members = tuple(dict.fromkeys(ref for _, ref in keys))
        analysis.tables[table.ref] = TableFact(table.ref, members, keys)


def _values(walk: "Walk") -> None:
    """Calls of unknown values make coroutines if coroutine functions are values somewhere."""
    candidates = tuple(walk.values)
    for state in walk.states.values():
        for found in state.calls:
            if found.base == "?":
                found.base = ""
                if candidates and found.use is Use.KEEP:
                    from perdure.frontend.calls import base_name

                    found.kind, found.base = CallKind.VALUE, base_name(found.node.func)
            if found.kind is CallKind.VALUE and not found.refs:
                found.refs = candidates
                state.callees.extend(
                    ref for ref in candidates if ref in walk.states and ref != state.ref
                )


def _spread_operations(walk: "Walk") -> None:
    """A function has operations if it makes or awaits some, or calls a helper that has."""
    callers: dict[Ref, list[State]] = {}
    pending: list[State] = []
    for state in walk.states.values():
        for ref in state.callees:
            callers.setdefault(ref, []).append(state)
        own = any(_is_operation(found) for found in state.calls)
        if own:
            state.has_operations = True
            pending.append(state)
    while pending:
        for caller in callers.get(pending.pop().ref, ()):
            if not caller.has_operations:
                caller.has_operations = True
                pending.append(caller)


def _is_operation(found: FoundCall) -> bool:
    if found.kind is CallKind.NATIVE:
        return found.native not in ("this_run", "run")
    return found.kind in OPERATIONS or found.native == "map"


def _find_recursion(walk: "Walk") -> None:
    """Helpers that reach themselves through helpers: strongly connected components."""
    edges: dict[Ref, list[Ref]] = {}
    for state in walk.states.values():
        helpers = state.func.kind in (FunctionKind.HELPER, FunctionKind.PURE)
        targets = [ref for ref in dict.fromkeys(state.callees) if ref in walk.states]
        edges[state.ref] = targets if helpers else []
    for component in components(edges):
        first = component[0]
        if len(component) > 1 or first in edges[first]:
            for ref in component:
                walk.states[ref].recursive = True


def components(edges: dict[Ref, list[Ref]]) -> list[list[Ref]]:
    """Tarjan's strongly connected components, without recursion."""
    index: dict[Ref, int] = {}
    low: dict[Ref, int] = {}
    stack: list[Ref] = []
    on_stack: set[Ref] = set()
    found: list[list[Ref]] = []
    for root, targets in edges.items():
        work = [(root, iter(targets))] if root not in index else []
        if work:
            index[root] = low[root] = len(index)
            stack.append(root)
            on_stack.add(root)
        while work:
            node, rest = work[-1]
            for target in rest:
                if target not in index:
                    index[target] = low[target] = len(index)
                    stack.append(target)
                    on_stack.add(target)
                    work.append((target, iter(edges.get(target, ()))))
                    break
                if target in on_stack:
                    low[node] = min(low[node], index[target])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    cut = stack.index(node)
                    found.append(stack[cut:])
                    on_stack.difference_update(stack[cut:])
                    del stack[cut:]
    return found


def _calls(
    walk: "Walk",
    state: State,
    analysis: Analysis,
    counts: dict[tuple[str, str], int],
    sites: list[Site],
) -> None:
    own_body = state.func.kind is FunctionKind.FLOW
    prefix = "" if own_body else state.scope.qualname.replace("'", "")
    # Helpers of one name in two modules share their numbers, so that labels differ in a run.
    scope = str(state.ref) if own_body else prefix
    ordered = sorted(state.calls, key=_position)
    for found in ordered:
        label, site, index = "", None, -1
        if found.base and _wants_site(walk, found):
            number = counts[scope, found.base] = counts.get((scope, found.base), 0) + 1
            base = found.base if number == 1 else f"{found.base}.{number}"
            label = f"{prefix}.{base}" if prefix else base
            span = state.module.source.span(found.node)
            index = len(sites)
            site = Site(label, *span)
            sites.append(site)
        found.label = label
        analysis.calls[id(found.node)] = CallFact(
            found.kind,
            label,
            site,
            found.refs,
            found.native,
            True,
            found.options,
            index,
            found.receiver,
            found.use is Use.AWAIT,
        )


def _position(found: FoundCall) -> tuple[int, int, int, int]:
    node = found.node
    return (node.lineno, node.col_offset, node.end_lineno or 0, node.end_col_offset or 0)


def _wants_site(walk: "Walk", found: FoundCall) -> bool:
    if found.kind is CallKind.NATIVE:
        return found.native not in _NO_SITE
    if found.kind is CallKind.HELPER:
        awaited = found.use is Use.AWAIT
        return not awaited or any(
            walk.states[ref].has_operations for ref in found.refs if ref in walk.states
        )
    return found.kind in _MAKERS or found.native == "map"


def _info(state: State) -> FunctionInfo:
    scope = state.scope
    names = scope.names
    assert names is not None
    return FunctionInfo(
        state.ref,
        state.func.kind,
        state.module,
        state.node,
        scope.qualname.replace("'", ""),
        state.has_operations,
        names.parameters,
        frozenset(scope.bindings),
        frozenset(state.free),
        names.nonlocals,
        state.parent,
        state.func.owner.ref if state.func.owner else None,
        state.recursive,
    )


def _steps(walk: "Walk", analysis: Analysis) -> None:
    for func in walk.steps.values():
        node = func.node if not isinstance(func.node, ast.Lambda) else None
        policy = func.policy
        assert policy is not None
        group = _text_option(policy, "group")
        analysis.steps[func.ref] = StepFact(
            func.ref, step_name(func), func.module, node, policy, group
        )


def step_name(func: Func) -> str:
    """What a step is called in records and scripts."""
    name = _text_option(func.policy, "name") if func.policy is not None else None
    return name or func.ref.qualname.rpartition(".")[2]


def _text_option(policy: ast.expr, option: str) -> str | None:
    while isinstance(policy, ast.Call):
        for keyword in policy.keywords:
            if keyword.arg == option and isinstance(keyword.value, ast.Constant):
                value = keyword.value.value
                return value if isinstance(value, str) else None
        policy = policy.func
    return None
