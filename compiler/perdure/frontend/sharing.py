"""Who else sees an object that a parallel branch, or a child flow, changes.

A call and an object come in; who reads the object beside the call or after it goes out. A loop or
a comprehension around the call makes it many calls, one after the other: what it binds itself is
another object in each round.
"""

import ast
from typing import TYPE_CHECKING, final

from perdure.frontend.analysis import FunctionKind
from perdure.frontend.meanings import Func, Scope
from perdure.frontend.mutations import Mutations, scoped
from perdure.frontend.origins import Origin
from perdure.frontend.reaching import end_of, start_of, within
from perdure.frontend.state import FoundCall, State, Use
from perdure.ir import Ref

if TYPE_CHECKING:
    from perdure.frontend.walk import Walk

__all__ = ["Sharing"]

type Load = tuple[ast.Name | ast.Lambda, Scope]
type Round = ast.For | ast.While | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp

_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_ONLY_CHANGES = frozenset({"append", "extend", "add", "update", "insert", "appendleft", "discard"})


@final
class Sharing:
    """The readers in one program; each function is looked through once."""

    def __init__(self, walk: "Walk", mutations: Mutations) -> None:
        self.walk = walk
        self.mutations = mutations
        self._origins = mutations.origins
        self._loads: dict[Ref, tuple[list[Load], list[ast.expr]]] = {}
        self._reads: dict[tuple[int, int], frozenset[Origin]] = {}
        self._outer: dict[Ref, frozenset[Origin]] = {}

    def reader(
        self, state: State, found: FoundCall, called: State | None, origin: Origin
    ) -> str | None:
        """Who reads the object beside or after the call; None if nobody does."""
        if origin.scope is None and origin.name:
            return None  # of the module: refused wherever it is changed
        if not origin.name and within(self._origins.made[origin.binding], found.node):
            return None  # made in the call itself: nobody else has it
        own = state.func.kind is FunctionKind.FLOW and origin.scope is state.scope
        if self._origins.is_outward(state, origin) and not own:
            return "the caller"
        loads, comprehensions = self._loads_of(state)
        rounds: list[Round] = [loop for loop in state.loops if within(found.node, loop)]
        rounds += [
            node
            for node in comprehensions
            if isinstance(node, _COMPREHENSIONS) and within(found.node, node)
        ]
        skipped = _rebound(state, found)
        loads = [load for load in loads if getattr(load[0], "id", "") not in skipped]
        readers = [
            *(self._beside(state, found, load, origin) for load in loads),
            *(self._again(found, load, origin, rounds) for load in loads),
        ]
        for reader in readers:
            if reader is not None:
                return reader
        return self._other(state, found, called, origin, rounds) if called is not None else None

    def _beside(self, state: State, found: FoundCall, load: Load, origin: Origin) -> str | None:
        """A place after the call, or in another branch of its fork."""
        node = load[0]
        whole = found.fork.node if found.fork else found.node
        if start_of(node) >= end_of(whole):
            return "the code after it" if origin in self._read(load) else None
        if found.fork is None or not within(node, whole) or within(node, found.node):
            return None
        beside = any(
            other.fork is found.fork and other is not found and within(node, other.node)
            for other in state.calls
        )
        return "another branch" if beside and origin in self._read(load) else None

    def _again(
        self, found: FoundCall, load: Load, origin: Origin, rounds: list[Round]
    ) -> str | None:
        """A place that is reached again in the next round of a loop around the call."""
        node = load[0]
        for around in rounds:
            first = _first(around)
            if not within(node, around) or (first is not None and within(node, first)):
                continue
            if node is found.node.func:
                continue  # what the branch itself reads is looked at by itself
            if self._made_in(origin, around) or origin not in self._read(load, around):
                continue
            return "another branch" if within(node, found.node) else "the code after it"
        return None

    def _other(
        self,
        state: State,
        found: FoundCall,
        called: State,
        origin: Origin,
        rounds: list[Round],
    ) -> str | None:
        """Another branch whose own code reads the object."""
        whole = found.fork.node if found.fork else found.node
        many = bool(rounds)
        for other in state.calls:
            if other is found or other.use is Use.AWAIT:
                continue
            if not rounds and other.fork and end_of(other.fork.node) <= start_of(whole):
                continue
            many = many or called.ref in other.refs
            for ref in other.refs:
                beside = self.walk.states.get(ref)
                if beside is not None and ref != called.ref and origin in self._outward(beside):
                    return "another branch"
        return "another branch" if many and self._reads_itself(called, origin) else None

    # What is read where

    def _loads_of(self, state: State) -> tuple[list[Load], list[ast.expr]]:
        if state.ref not in self._loads:
            loads: list[Load] = []
            comprehensions: list[ast.expr] = []
            for node, scope in scoped(self._origins.reaching, state):
                if isinstance(node, ast.Lambda) or (
                    isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
                ):
                    loads.append((node, scope))
                elif isinstance(node, _COMPREHENSIONS):
                    comprehensions.append(node)
            self._loads[state.ref] = (loads, comprehensions)
        return self._loads[state.ref]

    def _read(self, load: Load, around: ast.AST | None = None) -> frozenset[Origin]:
        """The objects that a place may look at; a function's name stands for what it reads."""
        node, scope = load
        key = (id(node), id(around))
        if key not in self._reads:
            if isinstance(node, ast.Lambda):
                inner = self.walk.by_node.get(id(node))
                self._reads[key] = self._outward(inner) if inner else frozenset()
            else:
                found = self._origins.all_of(node, scope, around)
                meaning = self.walk.resolver.name(scope, node.id)
                if isinstance(meaning, Func) and meaning.scope is not None:
                    inner = self.walk.by_node.get(id(meaning.node))
                    found |= self._outward(inner) if inner else frozenset()
                self._reads[key] = found
        return self._reads[key]

    def _outward(self, state: State) -> frozenset[Origin]:
        """What a function reads of what is around it."""
        if state.ref not in self._outer:
            self._outer[state.ref] = frozenset()
            found: set[Origin] = set()
            for load in self._loads_of(state)[0]:
                found |= {
                    origin
                    for origin in self._read(load)
                    if origin.scope is not None and origin.scope.body is not state.scope
                }
            for part in ast.walk(state.node):
                if isinstance(part, ast.AugAssign) and isinstance(part.target, ast.Name):
                    where = state.scope.finding(part.target.id)
                    if where is not None and where is not state.scope:
                        indices = range(len(where.bindings[part.target.id]))
                        found |= {Origin(where, part.target.id, index, 0) for index in indices}
            self._outer[state.ref] = frozenset(found)
        return self._outer[state.ref]

    def _reads_itself(self, called: State, origin: Origin) -> bool:
        """The branch reads what it writes, more than to change it in place."""
        only = _only_changed(called)
        for part in ast.walk(called.node):
            if isinstance(part, ast.AugAssign) and isinstance(part.target, ast.Name):
                where = called.scope.finding(part.target.id)
                if where is origin.scope and part.target.id == origin.name:
                    return True
        return any(
            id(load[0]) not in only and origin in self._read(load)
            for load in self._loads_of(called)[0]
        )

    def _made_in(self, origin: Origin, around: ast.AST) -> bool:
        """Whether the object is another one in each round."""
        if origin.scope is None:
            return within(self._origins.made[origin.binding], around)
        binding = origin.scope.bindings[origin.name][origin.binding]
        return origin.scope.names is None or within(binding.node, around)


def _first(around: Round) -> ast.expr | None:
    """What is evaluated once, before the first round."""
    if isinstance(around, ast.While):
        return None
    return around.iter if isinstance(around, ast.For) else around.generators[0].iter


def _only_changed(called: State) -> set[int]:
    """Names that are read only to change what they stand for."""
    found: set[int] = set()
    for node in ast.walk(called.node):
        match node:
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name() as name, attr=attr))):
                if attr in _ONLY_CHANGES:
                    found.add(id(name))
            case ast.Assign(targets=targets):
                for target in targets:
                    if isinstance(target, ast.Subscript | ast.Attribute):
                        found.add(id(target.value))
            case _:
                pass
    return found


def _rebound(state: State, found: FoundCall) -> frozenset[str]:
    """`xs = await gather(*[f(x) for x in xs])`: the old value is not read afterwards."""
    names: set[str] = set()
    for name, bindings in state.scope.bindings.items():
        for binding in bindings:
            statement = binding.statement
            if isinstance(statement, ast.Assign) and within(found.node, statement):
                names.add(name)
    return frozenset(names)
