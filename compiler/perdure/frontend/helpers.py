"""What can be told of a helper only beside its calls and its definition: defaults that are not
fixed, caches that outlive a run, parameters that are given sets."""

import ast
from typing import TYPE_CHECKING

from perdure import rules
from perdure.diagnostics import Report
from perdure.frontend import fixed, known
from perdure.frontend.analysis import CallKind, FunctionKind
from perdure.frontend.meanings import SET, Class, External, Scope
from perdure.frontend.reader import Reader
from perdure.frontend.state import State
from perdure.frontend.symbols import BindingKind

if TYPE_CHECKING:
    from perdure.frontend.walk import Walk

__all__ = ["check"]

_CACHES = frozenset({"functools.cache", "functools.lru_cache"})
_SEEN = (CallKind.READ, CallKind.LOG, CallKind.NATIVE)


def check(walk: "Walk") -> None:
    """Refuse helpers whose result depends on the process they run in."""
    for state in [*walk.states.values()]:
        if not state.certain or isinstance(state.node, ast.Lambda):
            continue
        if state.func.scope is None and state.func.kind is not FunctionKind.FLOW:
            _defaults(walk, state, state.node)
        _cached(walk, state, state.node.decorator_list)
    for func in walk.steps.values():
        if isinstance(func.node, ast.FunctionDef | ast.AsyncFunctionDef):
            state = State(func, func.node, Scope(func.module, None, {}), certain=True)
            _cached(walk, state, _above(func.node.decorator_list, func.policy))
    _sets_given(walk)


def _above(decorators: list[ast.expr], policy: ast.expr | None) -> list[ast.expr]:
    """The decorators that are given the step, not the function in it."""
    return decorators[: decorators.index(policy)] if policy in decorators else []


# Defaults


def _defaults(walk: "Walk", state: State, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    """A default is computed once per process, when its module is imported."""
    args = node.args
    named = [*args.posonlyargs, *args.args]
    pairs = [*zip(named[len(named) - len(args.defaults) :], args.defaults, strict=True)]
    pairs += [
        (parameter, default)
        for parameter, default in zip(args.kwonlyargs, args.kw_defaults, strict=True)
        if default is not None
    ]
    scope = Scope(state.module, None, {})
    for parameter, default in pairs:
        if not _is_fixed(walk, default, scope):
            walk.problem(state, rules.DEFAULT_NOT_FIXED, default, name=parameter.arg)


def _is_fixed(walk: "Walk", node: ast.expr, scope: Scope) -> bool:
    """Like a global's value; a new object of the project or of a pure call may stand here too."""
    if fixed.is_fixed_expression(walk, node, scope):
        return True
    if not isinstance(node, ast.Call):
        return False
    given = [*node.args, *(keyword.value for keyword in node.keywords)]
    if not all(_is_fixed(walk, value, scope) for value in given):
        return False
    match walk.resolver.expression(node.func, scope):
        case Class():
            return True
        case External(dotted=dotted):
            pure = known.is_pure(dotted, len(given), walk.allowed)
            return pure and dotted not in known.READS and dotted not in known.REFUSED
        case _:
            return False


# Caches


def _cached(walk: "Walk", state: State, decorators: list[ast.expr]) -> None:
    scope = Scope(state.module, None, {})
    for decorator in decorators:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        meaning = walk.resolver.expression(called, scope)
        if not isinstance(meaning, External) or meaning.dotted not in _CACHES:
            continue
        if state.func.kind is not FunctionKind.PURE or _records(walk, state):
            written, name = ast.unparse(called), state.ref.qualname
            walk.problem(state, rules.CACHED_RECORD, decorator, decorator=written, function=name)


def _records(walk: "Walk", state: State) -> bool:
    """Whether a function, or one that it calls, reads the clock, logs or has operations."""
    pending, seen = [state.ref], {state.ref}
    while pending:
        found = walk.states.get(pending.pop())
        if found is None:
            continue
        if any(call.kind in _SEEN for call in found.calls):
            return True
        fresh = [ref for ref in found.callees if ref not in seen]
        seen.update(fresh)
        pending.extend(fresh)
    return False


# Sets


def _sets_given(walk: "Walk") -> None:
    """Read a helper once more for each parameter that some call gives a set."""
    done: set[tuple[int, str]] = set()
    report = walk.report
    while walk.sets_given:
        func, name = walk.sets_given.pop()
        state = walk.by_node.get(id(func.node))
        if state is None or not state.certain or (id(func.node), name) in done:
            continue
        done.add((id(func.node), name))
        bindings = state.scope.bindings.get(name, [])
        if [found.kind for found in bindings] != [BindingKind.PARAMETER]:
            continue
        if _asks_type(state.node, name):
            continue
        again = State(state.func, state.node, _with_set(state.scope, name), certain=True)
        walk.report = Report()
        try:
            Reader(walk, again).read()
            found = [item for item in walk.report.diagnostics if item.code == rules.SET_ORDER.code]
        finally:
            walk.report = report
        for item in found:
            report.take(item)


def _with_set(scope: Scope, name: str) -> Scope:
    copied = Scope(scope.module, scope.parent, scope.bindings, scope.names, scope.qualname)
    copied.cache[name] = SET
    return copied


def _asks_type(node: ast.AST, name: str) -> bool:
    """Whether a function asks for the type of a parameter: then sets may go another way."""
    return any(
        isinstance(part, ast.Call)
        and isinstance(part.func, ast.Name)
        and part.func.id in ("isinstance", "type")
        and any(isinstance(item, ast.Name) and item.id == name for item in part.args)
        for part in ast.walk(node)
    )
