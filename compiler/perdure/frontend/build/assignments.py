"""Assignments with operations: the value first, then each target from left to right.

xs[await i()] = await f()   ->   _1 = await f(); _2 = await i(); xs[_2] = _1
total += await f()          ->   _1 = await f(); total += _1           (nothing can rebind
`total`)
x.n += await f()            ->   _1 = x.n; _2 = await f(); _1 += _2; x.n = _1
"""

import ast
from collections.abc import Sequence

from perdure.frontend.build import expressions
from perdure.frontend.build.lowering import Lowering, NotYetError, load, located, store

__all__ = ["write"]

type Assignment = ast.Assign | ast.AnnAssign | ast.AugAssign | ast.Delete


def write(low: Lowering, node: Assignment) -> None:
    """Write an assignment, or `del`, that holds an operation."""
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if (
            id(node.targets[0]) not in low.replaced
        ):
            expressions.into(low, value, name)
        case ast.Assign(targets=targets, value=value):
            _assign(low, node, targets, value)
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            expressions.into(low, value, name)
        case ast.AnnAssign(value=ast.expr() as value):
            _assign(low, node, [node.target], value)
        case ast.AnnAssign():
            raise NotYetError("an operation in a declaration")
        case ast.AugAssign():
            _augment(low, node)
        case ast.Delete(targets=targets):
            for deleted in targets:
                expressions.take_out(low, deleted)
                low.code(located(ast.Delete([deleted]), node))


def _assign(low: Lowering, node: ast.stmt, targets: Sequence[ast.expr], value: ast.expr) -> None:
    expressions.take_out(low, value)
    if not any(low.holds(target) for target in targets):
        low.code(located(ast.Assign(list(targets), value), node))
        return
    expressions.settle(low, value)
    for target in targets:
        _store(low, node, target, value)


def _store(low: Lowering, node: ast.stmt, target: ast.expr, value: ast.expr) -> None:
    """Write `target = value`, whose value is evaluated; unpack before any part's index is."""
    match target:
        case ast.Tuple(elts=parts) | ast.List(elts=parts) if low.holds(target):
            names = [low.fresh() for _ in parts]
            places = [
                located(ast.Starred(store(name, part), ast.Store()), part)
                if isinstance(part, ast.Starred)
                else store(name, part)
                for name, part in zip(names, parts, strict=True)
            ]
            unpacked = located(ast.Tuple(list(places), ast.Store()), target)
            low.code(located(ast.Assign([unpacked], value), node))
            for name, part in zip(names, parts, strict=True):
                inner = part.value if isinstance(part, ast.Starred) else part
                _store(low, node, inner, load(name, part))
        case _:
            expressions.take_out(low, target)
            low.code(located(ast.Assign([target], value), node))


def _augment(low: Lowering, node: ast.AugAssign) -> None:
    target, value = node.target, node.value
    match target:
        case ast.Name(id=name):
            old = load(name, target)
            low.replaced.pop(id(target), None)
            if expressions.is_steady_name(low, name):
                expressions.take_out(low, value)
                low.code(located(ast.AugAssign(target, node.op, value), node))
                return
            kept = low.fresh()
            low.keep(kept, old, node)
        case ast.Attribute(value=inner, attr=attribute):
            expressions.settle(low, inner)
            old_place: ast.expr = located(ast.Attribute(inner, attribute, ast.Load()), target)
            kept = low.fresh()
            low.keep(kept, old_place, node)
        case ast.Subscript(value=inner, slice=index):
            expressions.in_order(low, [inner, index])
            expressions.settle(low, inner)
            expressions.settle(low, index)
            old_place = located(ast.Subscript(inner, index, ast.Load()), target)
            kept = low.fresh()
            low.keep(kept, old_place, node)
    expressions.take_out(low, value)
    low.code(located(ast.AugAssign(store(kept, node), node.op, value), node))
    low.code(located(ast.Assign([target], load(kept, node)), node))
