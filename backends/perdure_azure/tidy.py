"""Takes temporaries out of printed code where a person would not have written them.

    _1 = await post(text)          return await post(text)
    return _1

A temporary goes if it is read once, in the next statement, before anything else happens there.
"""

import ast
import re
from collections import Counter
from collections.abc import Callable, Sequence
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
        last = done[-1] if done else None
        match last:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name in once:
                if _first(_evaluated(statement)) == name:
                    done[-1] = _inner(_replaced(statement, name, value), once, is_mark)
                    continue
            case _:
                pass
        done.append(_inner(statement, once, is_mark))
    return done


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


def _first(expr: ast.expr | None) -> str | None:
    """The name that an expression reads before it does anything."""
    match expr:
        case ast.Name(id=name):
            return name
        case (
            ast.Attribute(value=inner)
            | ast.Subscript(value=inner)
            | ast.BinOp(left=inner)
            | ast.Compare(left=inner)
            | ast.UnaryOp(operand=inner)
            | ast.BoolOp(values=[inner, *_])
            | ast.IfExp(test=inner)
            | ast.Tuple(elts=[inner, *_])
            | ast.List(elts=[inner, *_])
            | ast.Starred(value=inner)
            | ast.Call(func=(ast.Attribute() | ast.Call()) as inner)
        ):
            return _first(inner)
        case _:
            return None


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
