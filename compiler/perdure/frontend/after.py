"""What can be told only when all functions are read: iterators across operations, identity,
recursion."""

import ast
from typing import TYPE_CHECKING

from perdure import rules
from perdure.frontend import arguments, branches, checks, known, recursion
from perdure.frontend.analysis import FunctionKind
from perdure.frontend.meanings import (
    Class,
    External,
    Func,
    GlobalValue,
    ProjectModule,
    Table,
)
from perdure.frontend.mutations import Mutations, changed_first
from perdure.frontend.settle import step_name
from perdure.frontend.sharing import Sharing
from perdure.frontend.state import State
from perdure.frontend.uncodable import gives_iterator
from perdure.frontend.walk import declared

if TYPE_CHECKING:
    from perdure.frontend.walk import Walk

__all__ = ["check"]

type Place = tuple[int, int]

_ONE_PASS = frozenset({"builtins.iter", "builtins.map", "builtins.filter", "re.finditer"})


def check(walk: "Walk") -> None:
    """Refuse what depends on which functions hold operations."""
    mutations = Mutations(walk)
    sharing = Sharing(walk, mutations)
    _steps(walk)
    for state in walk.states.values():
        if not state.certain:
            continue
        if state.pauses:
            _loops(walk, state)
            _identities(walk, state)
        _consumed(walk, state)
        _reserved(walk, state)
        _defaults(walk, state, mutations)
        _globals(walk, state, mutations)
        if state.recursive:
            _recursion(walk, state, mutations)
        branches.check(walk, state, sharing)


def _steps(walk: "Walk") -> None:
    """The policies and signatures of steps and flows."""
    by_name: dict[str, Func] = {}
    for func in walk.steps.values():
        reader = declared(walk, func)
        arguments.check_policy(reader, func)
        if func.node is None or isinstance(func.node, ast.Lambda):
            continue
        checks.signature(reader, func.node)
        if func.owner is not None:
            name = func.ref.qualname
            reader.problem(rules.NOT_AT_MODULE_LEVEL, func.node, kind="step", name=name)
            continue
        name = step_name(func)
        first = by_name.setdefault(name, func)
        if first.node is not func.node:
            reader.problem(rules.DUPLICATE_STEP, func.node, name=name)
    for state in walk.states.values():
        if state.func.kind is FunctionKind.FLOW:
            arguments.check_policy(declared(walk, state.func), state.func)


# Iterators


def _loops(walk: "Walk", state: State) -> None:
    for loop in state.loops:
        if not isinstance(loop, ast.For) or not _pauses_in(state, loop.body):
            continue
        if _is_one_pass(walk, state, loop.iter):
            walk.problem(
                state, rules.ITERATOR_ACROSS_OPERATION, loop.iter, what=ast.unparse(loop.iter)
            )


def _is_one_pass(walk: "Walk", state: State, node: ast.expr) -> bool:
    """Whether going over it uses up an iterator that is no cursor on a container."""
    match node:
        case ast.GeneratorExp():
            return True
        case ast.Call(func=func, args=args):
            meaning = walk.resolver.expression(func, state.scope)
            if isinstance(meaning, Func):
                return gives_iterator(meaning)
            if not isinstance(meaning, External):
                return False
            if meaning.dotted in known.LIVE_CURSORS:
                return any(_is_one_pass(walk, state, argument) for argument in args)
            return meaning.dotted in _ONE_PASS or meaning.dotted.startswith("itertools.")
        case ast.Name(id=name):
            bindings = state.scope.bindings.get(name, [])
            return len(bindings) == 1 and _binds_iterator(walk, state, bindings[0].value)
        case _:
            return False


def _binds_iterator(walk: "Walk", state: State, value: ast.expr | None) -> bool:
    if isinstance(value, ast.GeneratorExp):
        return True
    if not isinstance(value, ast.Call):
        return False
    meaning = walk.resolver.expression(value.func, state.scope)
    if not isinstance(meaning, External):
        return False
    dotted = meaning.dotted
    return dotted in known.ITERATOR_MAKERS or dotted in _ONE_PASS or _is_itertools(dotted)


def _is_itertools(dotted: str) -> bool:
    return dotted.startswith("itertools.") and dotted != "itertools.count"


def _pauses_in(state: State, body: list[ast.stmt]) -> bool:
    begin, end = _start(body[0]), _end(body[-1])
    return any(begin <= _start(pause) and _end(pause) <= end for pause in state.pauses)


def _start(node: ast.AST) -> Place:
    return (getattr(node, "lineno", 0), getattr(node, "col_offset", 0))


def _end(node: ast.AST) -> Place:
    return (getattr(node, "end_lineno", 0), getattr(node, "end_col_offset", 0))


# Coroutines, names


def _consumed(walk: "Walk", state: State) -> None:
    """A coroutine that a later line of the same block (or of one inside it) consumes again."""
    for name, uses in state.consumed.items():
        if len(state.scope.bindings.get(name, ())) != 1:
            continue
        for index, (first, path) in enumerate(uses):
            for second, inner in uses[index + 1 :]:
                if second is not first and inner[: len(path)] == path:
                    walk.problem(state, rules.AWAITED_TWICE, second, name=name)


def _reserved(walk: "Walk", state: State) -> None:
    for name, bindings in state.scope.bindings.items():
        if name.startswith(("__perdure", "__sites")):
            node = bindings[0].node
            walk.problem(state, rules.RESERVED_NAME, node, name=name)


def _defaults(walk: "Walk", state: State, mutations: Mutations) -> None:
    """A default that is changed is a global in disguise; a flow's are made anew for each run."""
    if state.func.kind is FunctionKind.FLOW:
        return
    args = state.node.args
    positional = [*args.posonlyargs, *args.args]
    first = len(positional) - len(args.defaults)
    pairs = [*zip(positional[first:], args.defaults, strict=True)]
    pairs += [
        (name, value)
        for name, value in zip(args.kwonlyargs, args.kw_defaults, strict=True)
        if value is not None
    ]
    changes = mutations.of(state.ref)
    for parameter, default in pairs:
        mutable = isinstance(default, ast.List | ast.Dict | ast.Set | ast.Call)
        if mutable and parameter.arg in changes:
            place, made = changes[parameter.arg], ast.unparse(default)
            name = parameter.arg
            walk.problem(state, rules.MUTABLE_DEFAULT, place, name=name, default=made)


def _globals(walk: "Walk", state: State, mutations: Mutations) -> None:
    """A global that is given to a function which changes it."""
    for found in state.calls:
        if found.scope is None:
            continue
        changed = {
            change.origin
            for change in mutations.changed_by(found)
            if change.name in change.function.scope.bindings
        }
        for value in changed_first(walk, found):
            changed |= mutations.origins.of(value, found.scope, 0)
        written = {name.id: name for name in ast.walk(found.node) if isinstance(name, ast.Name)}
        for name in sorted({origin.name for origin in changed if origin.scope is None}):
            meaning = walk.resolver.module_name(state.module, name) if name else None
            if isinstance(meaning, GlobalValue | Table | ProjectModule | Class):
                place = written.get(name, found.node)
                walk.problem(state, rules.GLOBAL_WRITE, place, name=name)


# Identity, recursion


def _identities(walk: "Walk", state: State) -> None:
    for node, operator, left, right in state.identities:
        is_not = isinstance(operator, ast.IsNot)
        equal = "!=" if is_not else "=="
        walk.problem(
            state,
            rules.IS_ON_MUTABLE,
            node,
            operator="is not" if is_not else "is",
            what=ast.unparse(left),
            instead=f"{ast.unparse(left)} {equal} {ast.unparse(right)}",
        )


def _recursion(walk: "Walk", state: State, mutations: Mutations) -> None:
    node = state.node
    if isinstance(node, ast.Lambda):
        return
    if state.has_operations:
        names = state.scope.names
        for name, place in mutations.of(state.ref).items():
            if names is not None and name in names.parameters:
                walk.problem(
                    state, rules.RECURSIVE_HELPER_CHANGES, place, helper=node.name, name=name
                )
        return
    if state.func.kind is FunctionKind.PURE and recursion.never_ends(walk, state):
        walk.problem(state, rules.UNBOUNDED_RECURSION, node, name=node.name)
