"""What a function changes in place: of its parameters, and of the variables of functions around it.

States of the walk come in; for each, the objects (of which variable, at which depth) that it
changes, with the place where it does. Calls are followed: what a function is given to call counts
as called.
"""

import ast
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, final

from perdure.frontend import known
from perdure.frontend.meanings import External, Func, Instance, Meaning, Scope
from perdure.frontend.methods import Methods
from perdure.frontend.origins import Origin, Origins, argument_parts, given
from perdure.frontend.parts import Part, anything, operands
from perdure.frontend.reaching import Reaching
from perdure.frontend.results import is_atom
from perdure.frontend.state import FoundCall, State
from perdure.frontend.stores import Stores
from perdure.ir import Ref

if TYPE_CHECKING:
    from perdure.frontend.walk import Walk

__all__ = ["Change", "Mutations", "changed_first", "scoped"]

type Places = dict[str, ast.AST]
type Changes = dict[Origin, ast.AST]


@final
class Change(NamedTuple):
    """A call makes a function change an object that others may see."""

    function: State
    name: str
    """What the function calls it."""
    depth: int
    origin: Origin
    place: ast.AST
    """Where, in the function."""


_ROUNDS = 50
_GROWN_IN_PLACE = known.words(
    "builtins.list builtins.dict builtins.bytearray collections.deque collections.Counter "
    "collections.defaultdict collections.OrderedDict"
)
_TUPLE = External("builtins.tuple")
"""`x += (1, 2)` makes a new tuple, but changes a list."""
_PUTS = {"append": 0, "appendleft": 0, "add": 0, "insert": 1, "setdefault": 1}
"""Methods that put an argument into what they belong to, with its place."""
_PUTS_ITEMS = frozenset({"extend", "extendleft", "update"})
_NESTED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


@final
class Mutations:
    """For each function, what it changes of its callers; calls are followed to a fixed point."""

    def __init__(self, walk: "Walk") -> None:
        self.walk = walk
        self.origins = Origins(walk)
        self._unsure: set[int] = set()
        """`x += y` of unknown types: in place, if `x` is a container."""
        self._of: dict[Ref, Changes] = {ref: {} for ref in walk.states}
        states = [*walk.states.values()][::-1]
        direct = {ref for state in states for call in state.calls for ref in call.refs}
        self._stores = Stores(self.origins, self._runs)
        self._methods = Methods(self.origins)
        targets = [(state, [*self._targets(state)]) for state in states]
        self._stores.follow(states)
        called = direct | self._methods.kept
        for state, changed in targets:
            for value, scope, place in changed:
                if id(place) in self._unsure and state.ref not in called:
                    continue
                self._note(state, self.origins.of(value, scope, 0), place)
            self._rebound(state)
        for _ in range(_ROUNDS):
            grown = [self._through_calls(state) for state in states]
            if not any(grown):
                break

    def changes(self, state: State) -> Changes:
        """The objects of its callers that the function changes, with where."""
        return self._of[state.ref]

    def of(self, ref: Ref) -> Places:
        """Parameters and free names whose values the function changes, with where."""
        return {origin.name: place for origin, place in self._of.get(ref, {}).items()}

    def changed_by(self, found: FoundCall) -> Iterator[Change]:
        """What a call changes, as seen by the function it stands in."""
        scope = found.scope
        if scope is None:
            return
        for called in self._runs(found):
            yield from self.changed_arguments(found, called)
        for function in self.functions_in(operands(found.node), scope):
            for origin, place in self._of[function.ref].items():
                if origin.scope is not function.scope:
                    yield Change(function, origin.name, origin.depth, origin, place)
                elif not self.origins.called(found):  # the library calls it with what it is given
                    for part in anything(operands(found.node), scope):
                        for inner in self.origins.of(*part):
                            yield Change(function, origin.name, origin.depth, inner, place)
        yield from self._by_values(found)

    def _by_values(self, found: FoundCall) -> Iterator[Change]:
        """What a call changes through methods and functions that were kept as values."""
        for made in self._methods.of(found):
            node, scope, state = made
            for given_to, called in self._methods.runs(made):
                yield from self.changed_arguments(given_to, called)
            function = self.walk.by_node.get(id(node))
            for origin, place in self._of[function.ref].items() if function else ():
                if function is not None and origin.scope is not function.scope:
                    yield Change(function, origin.name, origin.depth, origin, place)
            if isinstance(node, ast.Attribute) and node.attr in known.MUTATORS:
                for origin in self.origins.of(node.value, scope, 0):
                    yield Change(state, ast.unparse(node.value), 0, origin, node)

    def changed_arguments(self, found: FoundCall, called: State) -> Iterator[Change]:
        """What one function that a call may run changes, as seen from the call."""
        scope = found.scope
        arguments = given(found, called)
        for origin, place in self._of[called.ref].items():
            if origin.scope is not called.scope:
                yield Change(called, origin.name, origin.depth, origin, place)
            elif scope is not None:
                for part in argument_parts(arguments, origin, scope):
                    if not self._is_rebound(place, part):
                        for inner in self.origins.of(*part):
                            yield Change(called, origin.name, origin.depth, inner, place)

    def _is_rebound(self, place: ast.AST, given: Part) -> bool:
        """Whether `x += y`, of which the function knows no type, is given a number or a text: then
        it binds a name of its own and changes nothing."""
        value, scope, depth = given
        return (
            id(place) in self._unsure
            and depth == 0
            and is_atom(self.walk.resolver.expression(value, scope))
        )

    def functions_in(self, nodes: Sequence[ast.expr], scope: Scope) -> Iterator[State]:
        """The functions among values: lambdas and nested functions of the flow."""
        for node in nodes:
            for part in ast.walk(node):
                if isinstance(part, ast.Lambda):
                    found = self.walk.by_node.get(id(part))
                elif isinstance(part, ast.Name):
                    meaning = self.walk.resolver.name(scope, part.id)
                    func = meaning if isinstance(meaning, Func) else None
                    found = self.walk.by_node.get(id(func.node)) if func and func.scope else None
                else:
                    continue
                if found is not None:
                    yield found

    def _runs(self, found: FoundCall) -> list[State]:
        called = self.origins.called(found)
        if called or not isinstance(found.node.func, ast.Attribute) or found.scope is None:
            return called
        func = found.node.func
        base = self.walk.resolver.expression(func.value, found.scope)
        if base is not None:
            return []
        named = (self.walk.states.get(method.ref) for method in self.walk.all_methods(func.attr))
        return [state for state in named if state is not None]

    def _note(self, state: State, found: frozenset[Origin], place: ast.AST) -> bool:
        changes = self._of[state.ref]
        before = len(changes)
        for origin in sorted(found, key=_named):
            if self.origins.is_outward(state, origin):
                changes.setdefault(origin, place)
        return len(changes) > before

    def _through_calls(self, state: State) -> bool:
        grown = False
        for found in state.calls:
            changed = frozenset(change.origin for change in self.changed_by(found))
            grown |= self._note(state, changed, found.node)
        return grown

    def _rebound(self, state: State) -> None:
        """Variables of functions around it that `nonlocal` lets it bind."""
        names = state.scope.names
        for name in names.nonlocals if names is not None else ():
            where = state.scope.finding(name)
            place = _assignment_of(state, name)
            if where is not None and place is not None:
                bindings = range(len(where.bindings[name]))
                found = frozenset(Origin(where, name, index, 0) for index in bindings)
                self._note(state, found, place)

    # One function

    def _targets(self, state: State) -> Iterator[tuple[ast.expr, Scope, ast.AST]]:
        """The values that it changes itself; what it puts into others is noted on the way."""
        for node, scope in scoped(self.origins.reaching, state):
            self._methods.see(node, scope, state)
            for value in self._changed(node, scope):
                yield value, scope, node
            self._store(node, scope)
        for found in state.calls:
            for value in changed_first(self.walk, found):
                yield value, found.scope or state.scope, found.node

    def _changed(self, node: ast.AST, scope: Scope) -> list[ast.expr]:
        match node:
            case ast.Attribute(value=value, ctx=ast.Store() | ast.Del()):
                return [value]
            case ast.Subscript(value=value, ctx=ast.Store() | ast.Del()):
                return [value]
            case ast.AugAssign(target=target, value=value):
                left = self.walk.resolver.expression(target, scope)
                right = self.walk.resolver.expression(value, scope)
                if not isinstance(left, Instance) and (
                    not isinstance(right, Instance) or right.type == _TUPLE
                ):
                    self._unsure.add(id(node))
                    return [target]
                return [target] if _grows(left, right) else []
            case ast.Call(func=ast.Attribute(value=value, attr=attr)) if attr in known.MUTATORS:
                meaning = self.walk.resolver.expression(value, scope)
                return [] if is_atom(meaning) else [value]
            case _:
                return []

    def _store(self, node: ast.AST, scope: Scope) -> None:
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    if isinstance(target, ast.Attribute | ast.Subscript):
                        self._stores.put(target.value, value, scope, 1)
            case ast.AnnAssign(target=ast.Attribute(value=into), value=ast.expr() as value):
                self._stores.put(into, value, scope, 1)
            case ast.Call(func=ast.Attribute(value=into, attr=attr), args=args):
                if attr in _PUTS and len(args) > _PUTS[attr]:
                    self._stores.put(into, args[_PUTS[attr]], scope, 1)
                elif attr in _PUTS_ITEMS:
                    for value in (*args, *(keyword.value for keyword in node.keywords)):
                        self._stores.put(into, value, scope, 0)
            case _:
                pass


def _named(origin: Origin) -> tuple[str, int]:
    """Sets of origins have no order of their own."""
    return origin.name, origin.depth


def scoped(reaching: Reaching, state: State) -> Iterator[tuple[ast.AST, Scope]]:
    """The nodes of a function's own body, each with the scope it is in."""
    node = state.node
    body: list[ast.AST] = [node.body] if isinstance(node, ast.Lambda) else [*node.body]
    pending = [(part, state.scope) for part in reversed(body)]
    while pending:
        part, scope = pending.pop()
        yield part, scope
        if isinstance(part, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            inner = reaching.comprehension(part, scope)
            first = part.generators[0].iter
            pending.append((first, scope))
            pending.extend((child, inner) for child in _inside(part) if child is not first)
        elif not isinstance(part, _NESTED):
            pending.extend((child, scope) for child in ast.iter_child_nodes(part))


def _inside(
    node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp,
) -> Iterator[ast.expr]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.comprehension):
            yield from (child.target, child.iter, *child.ifs)
        elif isinstance(child, ast.expr):
            yield child


def _grows(left: Meaning | None, right: Meaning | None) -> bool:
    """Whether `left += right` changes what `left` is, as far as the types are known."""
    known_left = left if isinstance(left, Instance) else None
    if known_left is not None:
        if isinstance(known_left.type, External):
            dotted = known_left.type.dotted
            return dotted in _GROWN_IN_PLACE or dotted in known.SETS
        return True
    if isinstance(right, Instance) and isinstance(right.type, External):
        return right.type.dotted in _GROWN_IN_PLACE or right.type.dotted in known.SETS
    return False


def changed_first(walk: "Walk", found: FoundCall) -> Sequence[ast.expr]:
    """What a function of the standard library changes: its first argument."""
    dotted = found.base or walk.names.get(id(found.node.func), "")
    return found.node.args[:1] if dotted in known.CHANGES_FIRST else []


def _assignment_of(state: State, name: str) -> ast.AST | None:
    """Where a `nonlocal` name is bound."""
    for node in ast.walk(state.node):
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store):
            return node
    return None
