"""What is put into the values of variables: by the code itself, and by the functions it calls.

Comes in: each place that stores, as a walk finds it. Goes out, in `Origins.stored`: for every
variable that may stand for the container, what it may hold since. `put(out, acc)` stores like
`out.append(acc)` if that is what `put` does, and so does `inner = out[0]; inner.append(acc)`.
"""

import ast
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, final

from perdure.frontend.meanings import Scope
from perdure.frontend.origins import Origin, Origins, argument_parts, given
from perdure.frontend.parts import DEPTHS, Part
from perdure.frontend.state import FoundCall, State
from perdure.frontend.symbols import BindingKind

__all__ = ["Stores"]

_ROUNDS = 50


@final
class _Put(NamedTuple):
    """A value goes into what a variable stands for, at these depths."""

    into: ast.Name
    value: ast.expr
    scope: Scope
    depths: tuple[int, ...]


@final
class Stores:
    """The stores of one program; calls are followed to a fixed point."""

    def __init__(self, origins: Origins, runs: Callable[[FoundCall], Sequence[State]]) -> None:
        self._origins = origins
        self._runs = runs
        self._puts: dict[Scope, dict[_Put, None]] = {}
        """By the function they stand in."""
        self._known: set[tuple[Scope, str, int, Scope, int]] = set()

    def put(self, into: ast.expr, value: ast.expr, scope: Scope, depth: int) -> None:
        """A value goes into another, at a depth; into a part of it, at any."""
        self._add(into, value, scope, (depth,), DEPTHS[1:])

    def follow(self, states: Iterable[State]) -> None:
        """Note all of them, until nothing new comes of it."""
        calls = [found for state in states for found in state.calls]
        for _ in range(_ROUNDS):
            stored = [self._note(put) for puts in [*self._puts.values()] for put in [*puts]]
            called = [self._call(found) for found in calls]
            if not any(stored) and not any(called):
                break
        self._origins.forget()

    def _add(
        self,
        into: ast.expr,
        value: ast.expr,
        scope: Scope,
        direct: tuple[int, ...],
        inside: tuple[int, ...],
    ) -> bool:
        depths = direct
        while isinstance(into, ast.Attribute | ast.Subscript):
            into, depths = into.value, inside
        if not isinstance(into, ast.Name):
            return False
        puts = self._puts.setdefault(scope.body, {})
        put = _Put(into, value, scope, depths)
        grown = put not in puts
        puts[put] = None
        return grown

    def _note(self, put: _Put) -> bool:
        """The variable holds it, and so does every other that may stand for the container."""
        where = put.scope.finding(put.into.id)
        grown = where is not None and self._store(where, put.into.id, put, put.depths)
        for origin in self._origins.of(put.into, put.scope, 0):
            if origin.scope is not None and (origin.scope, origin.name) != (where, put.into.id):
                depths = DEPTHS[1:] if origin.depth else put.depths
                grown |= self._store(origin.scope, origin.name, put, depths)
        return grown

    def _store(self, where: Scope, name: str, put: _Put, depths: tuple[int, ...]) -> bool:
        grown = False
        parts: list[Part] = self._origins.stored.setdefault((where, name), [])
        for depth in depths:
            key = (where, name, id(put.value), put.scope, depth)
            if key not in self._known:
                self._known.add(key)
                parts.append((put.value, put.scope, depth))
                grown = True
        return grown

    # Calls

    def _call(self, found: FoundCall) -> bool:
        """What the called functions put somewhere is put there by the call, too."""
        scope, grown = found.scope, False
        if scope is None:
            return False
        for called in self._runs(found):
            arguments = given(found, called)
            for put in [*self._puts.get(called.scope, ())]:
                held = self._given(called, arguments, put, scope)
                for origin in self._origins.of(put.into, put.scope, 0) if held else ():
                    grown |= self._at_call(called, arguments, origin, held, scope)
        return grown

    def _given(
        self,
        called: State,
        arguments: list[tuple[str, ast.expr, int]],
        put: _Put,
        scope: Scope,
    ) -> list[ast.expr]:
        """The arguments that what is put may be a part of."""
        origins = self._origins.all_of(put.value, put.scope)
        held = {
            id(value): value
            for origin in origins
            if _is_parameter(called, origin)
            for value, _, _ in argument_parts(arguments, origin, scope)
        }
        return [*held.values()]

    def _at_call(
        self,
        called: State,
        arguments: list[tuple[str, ast.expr, int]],
        origin: Origin,
        held: list[ast.expr],
        scope: Scope,
    ) -> bool:
        grown = False
        if _is_parameter(called, origin):
            for into, _, _ in argument_parts(arguments, origin, scope):
                for value in held:
                    grown |= self._add(into, value, scope, DEPTHS, DEPTHS)
        elif origin.scope is not None and origin.scope.body is not called.scope:
            for value in held:
                put = _Put(ast.Name(origin.name), value, scope, DEPTHS)
                grown |= self._store(origin.scope, origin.name, put, DEPTHS)
        return grown


def _is_parameter(called: State, origin: Origin) -> bool:
    if origin.scope is None or origin.scope is not called.scope or not origin.name:
        return False
    return origin.scope.bindings[origin.name][origin.binding].kind is BindingKind.PARAMETER
