"""Takes temporaries out of printed code where a person would not have written them.

    _1 = await post(text)          return await post(text)
    return _1

A temporary goes if it is read once, in the next statement, where that reads it whatever happens:
then it is an await of that very statement, which the Flow IR has taken out.
"""

import ast
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from typing import Final, final

__all__ = ["merged_comprehension", "without_temporaries"]

_TEMPORARY: Final = re.compile(r"_\d+(_\w+)?")


def without_temporaries(
    body: Sequence[ast.stmt], is_mark: Callable[[ast.AST], bool]
) -> list[ast.stmt]:
    """The body of a function."""
    names = (node.id for each in body for node in ast.walk(each) if isinstance(node, ast.Name))
    once = {name for name, count in Counter(names).items() if count == 2}
    return _block(body, {name for name in once if _TEMPORARY.fullmatch(name)}, is_mark)


def merged_comprehension(
    element: ast.expr, params: Sequence[str], over: ast.expr
) -> ast.ListComp | None:
    """`[quote(_1) for _1 in [item for item in items]]` is `[quote(item) for item in items]`."""
    match over:
        case ast.ListComp(elt=inner, generators=generators) if len(params) == 1:
            names = [n for n in ast.walk(element) if isinstance(n, ast.Name) and n.id == params[0]]
            if len(names) == 1:
                return ast.ListComp(_replaced(element, params[0], inner), generators)
        case _:
            pass
    return None


def _block(
    body: Sequence[ast.stmt], once: set[str], is_mark: Callable[[ast.AST], bool]
) -> list[ast.stmt]:
    done: list[ast.stmt] = []
    for statement in body:
        value, whole = _evaluated(statement), statement
        wanted = [] if value is None else [name for name in _reads(value) if name in once]
        places = [at for at, each in enumerate(done) if not is_mark(each)][-len(wanted) :]
        given = [done[at] for at in places] if wanted else []
        if wanted and [_target(each) for each in given] == wanted:
            for each in given:
                whole = _folded(whole, each)
            first = places[0] - 1 if places[0] and is_mark(done[places[0] - 1]) else places[0]
            kept = done[first : first + 1] if is_mark(done[first]) else []
            done[first:] = kept
        done.append(_inner(whole, once, is_mark))
    return done


def _target(statement: ast.stmt) -> str | None:
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)]):
            return name
        case _:
            return None


def _folded(statement: ast.stmt, temporary: ast.stmt) -> ast.stmt:
    assert isinstance(temporary, ast.Assign)
    return _replaced(statement, _target(temporary) or "", temporary.value)


def _inner(statement: ast.stmt, once: set[str], is_mark: Callable[[ast.AST], bool]) -> ast.stmt:
    """The same within its blocks; printed statements are this module's to change."""
    for field in ("body", "orelse", "finalbody"):
        block: list[ast.stmt] | None = getattr(statement, field, None)
        if block is not None:
            setattr(statement, field, _block(block, once, is_mark))
    for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
        part.body = _block(part.body, once, is_mark)
    return statement


def _evaluated(statement: ast.stmt) -> ast.expr | None:
    """What a statement evaluates before anything else."""
    match statement:
        case ast.Return(value=value) | ast.Expr(value=value) | ast.Raise(exc=value, cause=None):
            return value
        case ast.Assign(value=value) | ast.If(test=value) | ast.Match(subject=value):
            return value
        case ast.For(iter=value):
            return value
        case _:
            return None


def _reads(expr: ast.expr) -> Iterator[str]:
    """The names that an expression reads whatever happens, in order."""
    parts: Iterable[ast.AST]
    match expr:
        case ast.Name(id=name):
            yield name
            return
        case ast.BoolOp(values=[first, *_]) | ast.IfExp(test=first):
            parts = [first]
        case ast.Compare(left=first, comparators=[second, *_]):
            parts = [first, second]
        case ast.Lambda():
            return
        case (
            ast.ListComp(generators=[first, *_])
            | ast.SetComp(generators=[first, *_])
            | ast.DictComp(generators=[first, *_])
            | ast.GeneratorExp(generators=[first, *_])
        ):
            parts = [first.iter]
        case ast.Dict(keys=keys, values=values):
            pairs = zip(keys, values, strict=True)
            parts = [each for pair in pairs for each in pair if each is not None]
        case _:
            parts = ast.iter_child_nodes(expr)
    for part in parts:
        inner = part.value if isinstance(part, ast.keyword) else part
        if isinstance(inner, ast.expr):
            yield from _reads(inner)


def _replaced[N: ast.AST](node: N, name: str, value: ast.expr) -> N:
    replaced: N = _Replace(name, value).visit(deepcopy(node))
    return replaced


@final
class _Replace(ast.NodeTransformer):
    def __init__(self, name: str, value: ast.expr) -> None:
        self._name = name
        self._value = value

    def visit_Name(self, node: ast.Name) -> ast.expr:  # as NodeTransformer wants it
        return self._value if node.id == self._name else node
