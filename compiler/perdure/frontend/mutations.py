"""What a function changes in place: its parameters, and the names of functions around it.

States of the walk come in; for each, the names (parameters and free names) whose values it
changes, with the place where it does. A name stands for all that can be reached from it: `item`
of `for item in items` changes `items`.
"""

import ast
from collections.abc import Sequence
from typing import TYPE_CHECKING, final

from perdure.frontend import known
from perdure.frontend.analysis import FunctionKind
from perdure.frontend.meanings import External, Instance, Scope, is_set
from perdure.frontend.state import FoundCall, State
from perdure.frontend.symbols import BindingKind
from perdure.ir import Ref

if TYPE_CHECKING:
    from perdure.frontend.walk import Walk

__all__ = ["Mutations", "arguments_of", "changed_first", "roots"]

type Places = dict[str, ast.AST]

_ROUNDS = 12
_LISTS = (Instance(External("builtins.list")), Instance(External("builtins.dict")))


@final
class Mutations:
    """For each function, what it changes of its callers; calls are followed to a fixed point."""

    def __init__(self, walk: "Walk") -> None:
        self._walk = walk
        self._of: dict[Ref, Places] = {
            ref: _direct(walk, state) for ref, state in walk.states.items()
        }
        for _ in range(_ROUNDS):
            grown = [self._through_calls(state) for state in walk.states.values()]
            if not any(grown):
                break

    def of(self, ref: Ref) -> Places:
        """Parameters and free names that the function changes, with where."""
        state = self._walk.states.get(ref)
        if state is None:
            return {}
        outward = {*state.scope.names.parameters} if state.scope.names else set[str]()
        return {
            name: place
            for name, place in self._of[ref].items()
            if name in outward or name not in state.scope.bindings
        }

    def _through_calls(self, state: State) -> bool:
        places = self._of[state.ref]
        before = len(places)
        for found in state.calls:
            scope = found.scope or state.scope
            for ref in found.refs:
                called = self._walk.states.get(ref)
                if called is None or called.func.kind is FunctionKind.FLOW:
                    continue
                for _, argument in self.changed_arguments(found, called):
                    places.update(dict.fromkeys(roots(argument, scope) - {*places}, found.node))
                inner = called.scope.names
                own = {*inner.parameters} if inner else set[str]()
                outer = {name for name in self.of(ref) if name not in own | {*places}}
                places.update(dict.fromkeys(outer, found.node))
        return len(places) > before

    def changed_arguments(self, found: FoundCall, called: State) -> list[tuple[str, ast.expr]]:
        """The arguments of a call whose values the callee changes, by parameter name."""
        changes = self.of(called.ref)
        return [(name, value) for name, value in arguments_of(found, called) if name in changes]


def arguments_of(found: FoundCall, called: State) -> list[tuple[str, ast.expr]]:
    """Which argument goes to which parameter, as far as it is written out."""
    args = called.node.args
    names = [parameter.arg for parameter in (*args.posonlyargs, *args.args)]
    given: list[tuple[str, ast.expr]] = []
    func = found.node.func
    if called.func.owner is not None and isinstance(func, ast.Attribute) and names:
        given.append((names.pop(0), func.value))
    written = found.node.args[1:] if found.native == "map" else found.node.args
    for index, argument in enumerate(written):
        if isinstance(argument, ast.Starred):
            given.extend((name, argument.value) for name in names[index:])
            break
        if index < len(names):
            given.append((names[index], argument))
        elif args.vararg is not None:
            given.append((args.vararg.arg, argument))
    given.extend((key.arg, key.value) for key in found.node.keywords if key.arg is not None)
    return given


def roots(node: ast.expr, scope: Scope) -> frozenset[str]:
    """The names whose values an expression may be a part of; none for a fresh value."""
    names: set[str] = set()
    followed: set[tuple[str, int]] = set()
    pending = [(node, scope)]
    while pending:
        value, scope = pending.pop()
        if not isinstance(value, ast.Name):
            pending += ((part, scope) for part in _parts(value))
            continue
        names.add(value.id)
        where = scope.finding(value.id)
        # Once each: a chain of names with two ways to each next one has 2^n ways in all.
        if where is not None and (value.id, id(where)) not in followed:
            followed.add((value.id, id(where)))
            inner = where.parent if where.names is None and where.parent else where
            pending += ((aliased, inner) for aliased in _aliased(value.id, where))
    return frozenset(names)


def _parts(node: ast.expr) -> Sequence[ast.expr]:
    """The expressions whose values the value of this one may be, or be a part of."""
    match node:
        case ast.Attribute(value=value) | ast.Subscript(value=value) | ast.Starred(value=value):
            return [value]
        case ast.NamedExpr(value=value):
            return [value]
        case ast.IfExp(body=body, orelse=orelse):
            return [body, orelse]
        case ast.BoolOp(values=parts) | ast.Tuple(elts=parts) | ast.List(elts=parts):
            return parts
        case ast.Dict(values=parts):
            return parts
        case ast.ListComp(elt=kept, generators=loops) if isinstance(kept, _PLACES):
            return [kept, *(loop.iter for loop in loops)]
        case ast.DictComp(value=kept, generators=loops) if isinstance(kept, _PLACES):
            return [kept, *(loop.iter for loop in loops)]
        case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords) if (
            name in _VIEWS or name[0].isupper()
        ):
            # A class, by its name: the object may hold what its constructor is given.
            return [*args, *(keyword.value for keyword in keywords)]
        case ast.Call(func=ast.Attribute(value=value, attr=attr)) if attr in _PARTS:
            return [value]
        case _:
            return []


_PLACES = (ast.Name, ast.Attribute, ast.Subscript, ast.Tuple, ast.List, ast.Dict)
_VIEWS = frozenset(
    {"enumerate", "zip", "reversed", "iter", "list", "tuple", "sorted", "filter", "dict", "deque"}
)
"""Calls that give new containers of the very same items."""
_PARTS = frozenset({"values", "items", "get", "pop", "setdefault", "copy"})


def _aliased(name: str, where: Scope) -> list[ast.expr]:
    """What is bound to a name, wherever that is."""
    return [
        binding.value
        for binding in where.bindings[name]
        if binding.kind in (BindingKind.VALUE, BindingKind.ITEM) and binding.value is not None
    ]


def _direct(walk: "Walk", state: State) -> Places:
    places: Places = {}
    body = [state.node.body] if isinstance(state.node, ast.Lambda) else state.node.body
    pending: list[ast.AST] = [*body]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            continue
        for target in _changed_by(walk, node, state.scope):
            for root in roots(target, state.scope):
                places.setdefault(root, node)
        pending.extend(ast.iter_child_nodes(node))
    for found in state.calls:
        for target in changed_first(walk, found):
            for root in roots(target, found.scope or state.scope):
                places.setdefault(root, found.node)
    names = state.scope.names
    if names is not None:
        for name in names.nonlocals:
            place = _assignment_of(state, name)
            if place is not None:
                places.setdefault(name, place)
    return places


def changed_first(walk: "Walk", found: FoundCall) -> Sequence[ast.expr]:
    """What a function of the standard library changes: its first argument."""
    dotted = found.base or walk.names.get(id(found.node.func), "")
    return found.node.args[:1] if dotted in known.CHANGES_FIRST else []


def _changed_by(walk: "Walk", node: ast.AST, scope: Scope) -> list[ast.expr]:
    match node:
        case ast.Attribute(value=value, ctx=ast.Store() | ast.Del()):
            return [value]
        case ast.Subscript(value=value, ctx=ast.Store() | ast.Del()):
            return [value]
        case ast.AugAssign(target=ast.Name() as target):
            meaning = walk.resolver.expression(target, scope)
            return [target] if meaning in _LISTS or is_set(meaning) else []
        case ast.Call(func=ast.Attribute(value=value, attr=attr)) if attr in known.MUTATORS:
            return [value]
        case _:
            return []


def _assignment_of(state: State, name: str) -> ast.AST | None:
    """Where a `nonlocal` name is bound."""
    for node in ast.walk(state.node):
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store):
            return node
    return None
