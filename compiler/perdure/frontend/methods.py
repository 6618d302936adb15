"""Methods and functions kept as values, and what calling them would change.

    add = log.append             # called as `add(1)`, or by who is given it
    sinks = {"log": log.append}
    rec = partial(note, log)

A call comes in; out go the places where such values are made that it calls, or gives away.
"""

import ast
from typing import final

from perdure.frontend import known
from perdure.frontend.analysis import CallKind
from perdure.frontend.meanings import External, Func, Scope
from perdure.frontend.origins import Origins
from perdure.frontend.parts import operands
from perdure.frontend.state import FoundCall, State, Use
from perdure.ir import Ref

__all__ = ["Methods"]

type Found = tuple[ast.expr, Scope, State]


@final
class Methods:
    """Those of one program; what a call may run of them is found once."""

    def __init__(self, origins: Origins) -> None:
        self._origins = origins
        self._walk = origins.walk
        self.kept: set[Ref] = set()
        """The functions that a `partial` is of."""
        self._called: set[int] = set()
        self._made: dict[int, Found] = {}
        self._of: dict[int, list[Found]] = {}

    def see(self, node: ast.AST, scope: Scope, state: State) -> None:
        """A node of the program, each call before what it calls."""
        match node:
            case ast.Call(func=func, args=args):
                self._called.add(id(func))
                meaning = self._walk.resolver.expression(func, scope)
                if isinstance(meaning, External) and meaning.dotted == "functools.partial":
                    self._made[id(node)] = (node, scope, state)
                    first = self._walk.resolver.expression(args[0], scope) if args else None
                    self.kept.update([first.ref] if isinstance(first, Func) else [])
            case ast.Attribute(attr=attr, ctx=ast.Load()) if id(node) not in self._called:
                changes = attr in known.MUTATORS and not self._walk.is_field(attr)
                if changes or self._walk.all_methods(attr):
                    self._made[id(node)] = (node, scope, state)
            case ast.Lambda(body=body):
                if any(isinstance(part, ast.Call) for part in ast.walk(body)):
                    self._made[id(node)] = (node, scope, state)
            case _:
                pass

    def of(self, found: FoundCall) -> list[Found]:
        """Where what the call runs, or gives away, may have been made."""
        scope = found.scope
        if scope is None or not self._made:
            return []
        key = id(found.node)
        if key not in self._of:
            origins = {
                origin.binding
                for value in operands(found.node)
                for origin in self._origins.all_of(value, scope)
                if not origin.name and origin.binding in self._made
            }
            self._of[key] = [made for place, made in self._made.items() if place in origins]
        return self._of[key]

    def runs(self, made: Found) -> list[tuple[FoundCall, State]]:
        """The functions of the project that are run in the end, each with the call that says what
        they are given by then."""
        node, scope, _ = made
        match node:
            case ast.Call(args=[func, *args], keywords=keywords):
                meaning = self._walk.resolver.expression(func, scope)
                functions = [meaning] if isinstance(meaning, Func) else []
                call = ast.Call(func, args, keywords)
            case ast.Attribute(attr=attr):
                functions = self._walk.all_methods(attr)
                call = ast.Call(node, [], [])
            case _:
                return []
        given = FoundCall(call, CallKind.PURE, Use.KEEP)
        given.scope = scope
        states = [self._walk.states.get(function.ref) for function in functions]
        return [(given, state) for state in states if state is not None]
