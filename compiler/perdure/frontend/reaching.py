"""Which bindings of a name a use of it may see, and the scopes of comprehensions.

    acc = [0]        # not seen by the last line
    acc = list(acc)
    acc.append(1)

An assignment hides the earlier ones from what follows it in its block. A function written inside
sees all bindings of a name around it.
"""

import ast
from bisect import bisect_left
from collections.abc import Iterator
from typing import cast, final

from perdure.frontend.meanings import Scope
from perdure.frontend.symbols import Binding, BindingKind, inner_statements, target_names

__all__ = ["Place", "Reaching", "comprehension_scope", "end_of", "nested_in", "start_of", "within"]

type Place = tuple[int, int]
type Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp

_FIELDS = ("body", "orelse", "finalbody")
_LOOPS = (ast.For, ast.While, ast.AsyncFor)


@final
class Reaching:
    """The bindings of the names of functions, by use; bodies are looked at once each."""

    def __init__(self) -> None:
        self._blocks: dict[Scope, dict[int, Place]] = {}
        self._loops: dict[Scope, list[ast.stmt]] = {}
        self._scopes: dict[int, Scope] = {}

    def add(self, scope: Scope, body: list[ast.stmt]) -> None:
        """Note the blocks of a function's body."""
        blocks: dict[int, Place] = {}
        loops: list[ast.stmt] = []
        for block in _blocks(body):
            end = end_of(block[-1])
            for statement in block:
                blocks[id(statement)] = end
                if isinstance(statement, _LOOPS):
                    loops.append(statement)
        self._blocks[scope], self._loops[scope] = blocks, loops

    def comprehension(self, node: Comprehension, outer: Scope) -> Scope:
        """The scope of a comprehension: one object for one node."""
        found = self._scopes.get(id(node))
        if found is None:
            found = self._scopes[id(node)] = comprehension_scope(node, outer)
        return found

    def of(self, use: ast.Name, where: Scope, scope: Scope) -> Iterator[int]:
        """The indices of the bindings in `where` that a use in `scope` may see."""
        bindings = where.bindings[use.id]
        blocks = self._blocks.get(where)
        if len(bindings) == 1 or blocks is None or scope.body is not where:
            yield from range(len(bindings))
            return
        place = start_of(use)
        before = bisect_left(bindings, place, key=lambda binding: end_of(_whole(binding)))
        for index in range(len(bindings) - 1, before - 1, -1):
            both = (bindings[index].node, use)
            if any(all(within(node, loop) for node in both) for loop in self._loops[where]):
                yield index
        for index in range(before - 1, -1, -1):
            yield index
            if _hides(bindings[index], place, blocks):
                return


def comprehension_scope(node: Comprehension, outer: Scope) -> Scope:
    """What the `for` parts of a comprehension bind."""
    bindings: dict[str, list[Binding]] = {}
    for generator in node.generators:
        for name in target_names(generator.target):
            found = Binding(BindingKind.ITEM, generator, generator.iter)
            bindings.setdefault(name, []).append(found)
    return Scope(outer.module, outer, bindings, None, outer.qualname)


def nested_in(target: ast.expr, name: str) -> tuple[int, bool] | None:
    """How deep a name lies in a target that is unpacked into, and whether it is starred."""
    match target:
        case ast.Name(id=found):
            return (0, False) if found == name else None
        case ast.Starred(value=value):
            inner = nested_in(value, name)
            return (inner[0], True) if inner else None
        case ast.Tuple(elts=elts) | ast.List(elts=elts):
            for part in elts:
                inner = nested_in(part, name)
                if inner is not None:
                    return inner[0] + 1, inner[1]
            return None
        case _:
            return None


def start_of(node: ast.AST) -> Place:
    """Where a node begins."""
    return (getattr(node, "lineno", 0), getattr(node, "col_offset", 0))


def end_of(node: ast.AST) -> Place:
    """Where a node ends."""
    return (getattr(node, "end_lineno", 0), getattr(node, "end_col_offset", 0))


def within(node: ast.AST, outer: ast.AST) -> bool:
    """Whether a node lies in another."""
    if isinstance(node, ast.comprehension):  # it has no place of its own
        node = node.target
    return start_of(outer) <= start_of(node) and end_of(node) <= end_of(outer)


def _blocks(body: list[ast.stmt]) -> Iterator[list[ast.stmt]]:
    pending = [body]
    while pending:
        block = pending.pop()
        if not block:
            continue
        yield block
        for statement in block:
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                continue
            if next(inner_statements(statement), None) is None:
                continue
            for inner in (getattr(statement, field, None) for field in _FIELDS):
                pending += [cast("list[ast.stmt]", inner)] if inner else []
            if isinstance(statement, ast.Try | ast.TryStar):
                pending += [handler.body for handler in statement.handlers]
            elif isinstance(statement, ast.Match):
                pending += [case.body for case in statement.cases]


def _hides(binding: Binding, place: Place, blocks: dict[int, Place]) -> bool:
    """Whether every way to a later place goes through this binding."""
    match binding.statement:
        case ast.Assign() | ast.AnnAssign(value=ast.expr()) as statement:
            return place < blocks.get(id(statement), (0, 0))
        case ast.For(body=body):
            return start_of(body[0]) <= place < end_of(body[-1])
        case _:
            return False


def _whole(binding: Binding) -> ast.AST:
    """What has to be over before the name is bound; a loop or `with` binds it for its body."""
    match binding.node:
        case ast.For(target=target) | ast.AsyncFor(target=target):
            return target
        case ast.With(items=items) | ast.AsyncWith(items=items):
            return items[-1].context_expr
        case ast.ExceptHandler(type=ast.expr() as caught):
            return caught
        case node:
            return node
