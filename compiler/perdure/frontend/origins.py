"""Which objects the value of an expression may be, or hold.

An expression and a depth come in: 0 is the value itself, 1 what it holds, up to `DEPTH` and all
that is deeper. Out go the variables whose values, at which depth, these objects may be; so a new
container of the same items shares its items, but is not the one they came from:

    mine = list(acc)
    mine.append(1)   # of no other name
    mine[0].n = 1    # of `acc`, at depth 1
"""

import ast
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple, final

from perdure.frontend import results
from perdure.frontend.analysis import FunctionKind
from perdure.frontend.meanings import Class, Instance, Scope
from perdure.frontend.parts import DEPTH, DEPTHS, Part, anything, down, held, operands, up
from perdure.frontend.reaching import Reaching, nested_in, within
from perdure.frontend.state import FoundCall, State
from perdure.frontend.symbols import Binding, BindingKind, every_statement
from perdure.ir import Ref

if TYPE_CHECKING:
    from perdure.frontend.walk import Walk

__all__ = ["Origin", "Origins", "argument_parts", "given"]


@final
class Origin(NamedTuple):
    """The objects at one depth of one binding of a variable, or of what one expression makes."""

    scope: Scope | None
    """None for a name of a module, and for an expression."""
    name: str
    """Empty for an expression."""
    binding: int
    """Which binding of the name; the identity of the node for an expression."""
    depth: int


@final
class Origins:
    """Answers for one program; nothing of it changes the program."""

    def __init__(self, walk: "Walk") -> None:
        self.walk = walk
        self.reaching = Reaching()
        self.stored: dict[tuple[Scope, str], list[Part]] = {}
        """What is put into the value of a variable, with the depth it is put at."""
        self.made: dict[int, ast.expr] = {}
        """The expressions that origins name by their identity."""
        self.calls: dict[int, FoundCall] = {}
        self._returned: dict[tuple[Ref, int], frozenset[Origin] | None] = {}
        for state in walk.states.values():
            if not isinstance(state.node, ast.Lambda):
                self.reaching.add(state.scope, state.node.body)
            self.calls.update((id(found.node), found) for found in state.calls)

    def of(
        self, node: ast.expr, scope: Scope, depth: int, renewed: ast.AST | None = None
    ) -> frozenset[Origin]:
        """What the objects at a depth of a value may be; variables that each round of `renewed` (a
        loop, a comprehension) binds anew are not followed."""
        found: set[Origin] = set()
        seen: set[tuple[int, Scope, int]] = set()
        pending: list[Part] = [(node, scope, depth)]
        while pending:
            value, inner, level = pending.pop()
            if (id(value), inner, level) in seen:
                continue
            seen.add((id(value), inner, level))
            if isinstance(value, ast.Name):
                pending += self._name(value, inner, level, renewed, found)
                continue
            self.made[id(value)] = value
            found.add(Origin(None, "", id(value), level))
            if isinstance(value, ast.Call):
                parts, outer = self._call(value, inner, level)
                found |= outer
                pending += parts
            elif (keyed := _keyed(value)) is not None and not self._is_own(keyed[0], inner):
                pending += self._name(keyed[0], inner, up(level), renewed, found, key=keyed[1])
            else:
                pending += self._parts(value, inner, level)
        return frozenset(found)

    def all_of(
        self, node: ast.expr, scope: Scope, renewed: ast.AST | None = None
    ) -> frozenset[Origin]:
        """What any object of a value may be."""
        return frozenset[Origin]().union(*(self.of(node, scope, d, renewed) for d in DEPTHS))

    def forget(self) -> None:
        """More is stored than when results were looked at."""
        self._returned.clear()

    # Names

    def _name(
        self,
        node: ast.Name,
        scope: Scope,
        depth: int,
        renewed: ast.AST | None,
        found: set[Origin],
        *,
        key: ast.Constant | None = None,
    ) -> list[Part]:
        """What a variable may stand for; of a dict that is written out, only what has the key."""
        where = scope.finding(node.id)
        if where is None:
            found.add(Origin(None, node.id, -1, depth))
            return []
        parts: list[Part] = []
        for index in self.reaching.of(node, where, scope):
            found.add(Origin(where, node.id, index, depth))
            binding = where.bindings[node.id][index]
            if renewed is None or not within(binding.node, renewed):
                bound = _bound(binding, node.id, where, depth)
                parts += bound if key is None else _under(key, bound)
        for value, inner, level in self.stored.get((where, node.id), ()):
            if max(level, 1) <= depth:
                deeper = range(depth - level, DEPTH + 1) if depth == DEPTH else [depth - level]
                parts += ((value, inner, d) for d in deeper)
        return parts

    # Expressions

    def _parts(self, node: ast.expr, scope: Scope, depth: int) -> Iterable[Part]:
        match node:
            case ast.Await(value=value) | ast.NamedExpr(value=value) | ast.Starred(value=value):
                return [(value, scope, depth)]
            case ast.IfExp(body=body, orelse=orelse):
                return [(body, scope, depth), (orelse, scope, depth)]
            case ast.BoolOp(values=values):
                return [(value, scope, depth) for value in values]
            case ast.Attribute(value=value, attr=attr):
                if self.walk.all_methods(attr):  # computed, for all that is known
                    return anything([value], scope)
                return [(value, scope, up(depth))]
            case ast.Subscript(value=value, slice=index):
                if self._is_own(value, scope):
                    return anything([value], scope)
                if isinstance(index, ast.Slice):
                    return [(value, scope, depth)] if depth else []
                return [(value, scope, up(depth))]
            case ast.BinOp(left=left, right=right):
                if self._is_own(left, scope) or self._is_own(right, scope):
                    return anything([left, right], scope)
                return [(left, scope, depth), (right, scope, depth)] if depth else []
            case ast.Tuple(elts=elts) | ast.List(elts=elts) | ast.Set(elts=elts):
                return held(elts, scope, depth)
            case ast.Dict(keys=keys, values=values):
                items = zip(keys, values, strict=True)
                return held([v if k else ast.Starred(v) for k, v in items], scope, depth)
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp():
                inner = self.reaching.comprehension(node, scope)
                return [(node.elt, inner, level) for level in down(depth)]
            case ast.DictComp():
                inner = self.reaching.comprehension(node, scope)
                return [(node.value, inner, level) for level in down(depth)]
            case _:
                return []

    def _is_own(self, node: ast.expr, scope: Scope) -> bool:
        """A value of a class of the project, whose operators may do anything."""
        meaning = self.walk.resolver.expression(node, scope)
        return isinstance(meaning, Instance) and isinstance(meaning.type, Class)

    # Calls

    def _call(
        self, node: ast.Call, scope: Scope, depth: int
    ) -> tuple[Iterable[Part], frozenset[Origin]]:
        call = self.calls.get(id(node))
        states = self.called(call) if call is not None else []
        if call is None or not states:
            return results.parts(self, node, call, scope, depth), frozenset()
        parts: list[Part] = []
        outer: set[Origin] = set()
        for state in states:
            returned = self.returned(state, depth)
            if returned is None:
                parts += anything(operands(node), scope)
                continue
            arguments = given(call, state)
            for origin in returned:
                if origin.scope is not state.scope:
                    outer.add(origin)
                else:
                    parts += argument_parts(arguments, origin, scope)
        return parts, frozenset(outer)

    def called(self, call: FoundCall) -> list[State]:
        """The functions of the project that a call runs in this run's own values."""
        found = [self.walk.states[ref] for ref in call.refs if ref in self.walk.states]
        return [state for state in found if state.func.kind is not FunctionKind.FLOW]

    def returned(self, state: State, depth: int) -> frozenset[Origin] | None:
        """What a function's result may be, at a depth: of its parameters and of what is around
        it. None while that is being found out."""
        key = (state.ref, depth)
        if key not in self._returned:
            self._returned[key] = None
            found: set[Origin] = set()
            for value in _returns(state):
                found |= self.of(value, state.scope, depth)
            self._returned[key] = frozenset(o for o in found if self.is_outward(state, o))
        return self._returned[key]

    def is_outward(self, state: State, origin: Origin) -> bool:
        """Whether a function's caller can see that object: a parameter's, or one around it."""
        if not origin.name:
            return False
        if origin.scope is None:
            return True
        if origin.scope.body is not state.scope:
            return origin.scope.names is not None
        binding = origin.scope.bindings[origin.name][origin.binding]
        return origin.scope is state.scope and binding.kind is BindingKind.PARAMETER


def _bound(binding: Binding, name: str, where: Scope, depth: int) -> Iterable[Part]:
    """What a binding gives a name."""
    value = binding.value
    if value is None:
        if isinstance(binding.node, ast.AugAssign) and depth:
            return [(binding.node.value, where, depth)]
        return []
    match binding.kind, binding.node:
        case BindingKind.VALUE, _:
            return [(value, where, depth)]
        case BindingKind.CONTEXT, _:
            return anything([value], where)
        case BindingKind.ITEM, ast.For(target=target) | ast.AsyncFor(target=target):
            return _unpacked(target, name, (value, where, up(depth)))
        case BindingKind.ITEM, ast.comprehension(target=target):
            first = where.parent if where.parent and _is_first(binding, where) else where
            return _unpacked(target, name, (value, first, up(depth)))
        case BindingKind.ITEM, ast.Assign(targets=targets):
            return [
                part
                for target in targets
                for part in _unpacked(target, name, (value, where, depth))
            ]
        case BindingKind.ITEM, _:
            return anything([value], where)
        case _:
            return []


def _keyed(node: ast.expr) -> tuple[ast.Name, ast.Constant] | None:
    """A variable and the key of `variable["key"]`."""
    match node:
        case ast.Subscript(value=ast.Name() as name, slice=ast.Constant() as key):
            return name, key
        case _:
            return None


def _under(key: ast.Constant, parts: Iterable[Part]) -> Iterator[Part]:
    """Of a dict that is written out with constant keys, what stands under one of them."""
    for value, scope, depth in parts:
        if isinstance(value, ast.Dict) and all(isinstance(k, ast.Constant) for k in value.keys):
            items = zip(value.keys, value.values, strict=True)
            same = [v for k, v in items if isinstance(k, ast.Constant) and k.value == key.value]
            yield from held(same, scope, depth)
        else:
            yield value, scope, depth


def _is_first(binding: Binding, where: Scope) -> bool:
    """Whether an iterable is that of the first `for`, which is evaluated around the comprehension;
    the others may read what the first one binds."""
    first = min(
        (found.value for group in where.bindings.values() for found in group if found.value),
        key=lambda value: (value.lineno, value.col_offset),
    )
    return binding.value is first


def _unpacked(target: ast.expr, name: str, whole: Part) -> list[Part]:
    """The part of a value that a name takes where the value is unpacked."""
    value, where, depth = whole
    found = nested_in(target, name)
    if found is None:
        return []
    nesting, starred = found
    if starred:  # a new list of the items that are left
        return [(value, where, max(depth + nesting - 1, 0))] if depth else []
    return [(value, where, min(depth + nesting, DEPTH))]


def given(call: FoundCall, called: State) -> list[tuple[str, ast.expr, int]]:
    """Which argument goes to which parameter, and how much deeper it lies (-1 in `*args`, 1 when
    it is one item of a starred argument)."""
    args = called.node.args
    names = [parameter.arg for parameter in (*args.posonlyargs, *args.args)]
    every = [*names, *(parameter.arg for parameter in args.kwonlyargs)]
    found: list[tuple[str, ast.expr, int]] = []
    func = call.node.func
    if called.func.owner is not None and names and names[0] in ("self", "cls"):
        own = names.pop(0)
        if isinstance(func, ast.Attribute):
            found.append((own, func.value, 0))
    for index, argument in enumerate(
        call.node.args[1:] if call.native == "map" else call.node.args
    ):
        offset = 1 if call.native == "map" else 0
        if isinstance(argument, ast.Starred):
            found += ((name, argument.value, 1) for name in names[index:])
            if args.vararg is not None:
                found.append((args.vararg.arg, argument.value, 0))
            break
        if index < len(names):
            found.append((names[index], argument, offset))
        elif args.vararg is not None:
            found.append((args.vararg.arg, argument, -1))
    for key in call.node.keywords:
        if key.arg is None:
            found += ((name, key.value, 1) for name in every)
            if args.kwarg is not None:
                found.append((args.kwarg.arg, key.value, 0))
        elif key.arg in every:
            found.append((key.arg, key.value, 0))
        elif args.kwarg is not None:
            found.append((args.kwarg.arg, key.value, -1))
    return found


def argument_parts(
    arguments: list[tuple[str, ast.expr, int]], origin: Origin, scope: Scope
) -> Iterator[Part]:
    """What an object of a parameter is in the arguments of a call."""
    for name, value, offset in arguments:
        if name == origin.name:
            levels = down(origin.depth) if offset < 0 else (min(origin.depth + offset, DEPTH),)
            yield from ((value, scope, level) for level in levels)


def _returns(state: State) -> Iterator[ast.expr]:
    if isinstance(state.node, ast.Lambda):
        yield state.node.body
        return
    for statement in every_statement(state.node.body):
        if isinstance(statement, ast.Return) and statement.value is not None:
            yield statement.value
