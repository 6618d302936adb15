"""Comprehensions that hold operations become loops.

    [await f(x) for x in xs if x.ok]   ->   _1 = []
                                            for _2_x in xs:
                                                if _2_x.ok:
                                                    _3 = await f(_2_x)
                                                    _1.append(_3)

Their variables are renamed, since Python keeps them apart from the function's.
"""

import ast
from collections.abc import Sequence
from typing import TYPE_CHECKING

from perdure.frontend.build import expressions
from perdure.frontend.build.lowering import Lowering, NotYetError, load, located, store
from perdure.frontend.build.scan import defaults_of, parameters_of
from perdure.ir import For
from perdure.uses import bound_by_target, uses

if TYPE_CHECKING:
    from perdure.ir import Slot

__all__ = ["is_free_inside", "write"]

type Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


def write(low: Lowering, node: Comprehension, target: "Slot") -> None:
    """Write `target = comprehension`."""
    if isinstance(node, ast.GeneratorExp):
        raise NotYetError("an operation in a generator expression")
    if any(generator.is_async for generator in node.generators):
        raise NotYetError("`async for` in a comprehension")
    expressions.take_out(low, node.generators[0].iter)
    _rename(low, node)
    low.keep(target, _empty(node), node)
    _loops(low, node, node.generators, target)


def is_free_inside(low: Lowering, node: Comprehension) -> bool:
    """Whether only the first iterable holds operations; these are taken out here."""
    first = node.generators[0]
    inside: list[ast.AST] = [first.target, *first.ifs, *node.generators[1:]]
    inside += [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
    if first.is_async or any(map(low.holds, inside)):
        return False
    expressions.take_out(low, first.iter)
    low.marks.operations.difference_update((id(node), id(first)))
    return True


def _empty(node: Comprehension) -> ast.expr:
    match node:
        case ast.DictComp():
            return located(ast.Dict([], []), node)
        case ast.SetComp():
            nothing = located(ast.Tuple([], ast.Load()), node)
            return located(ast.Set([located(ast.Starred(nothing, ast.Load()), node)]), node)
        case _:
            return located(ast.List([], ast.Load()), node)


def _loops(
    low: Lowering, node: Comprehension, generators: Sequence[ast.comprehension], result: "Slot"
) -> None:
    if not generators:
        _element(low, node, result)
        return
    generator = generators[0]
    expressions.take_out(low, generator.iter)
    iterable = low.pure(generator.iter)
    if low.holds(generator.target):
        raise NotYetError("an operation in a loop's target")
    where = low.pure(generator.target)
    facts = low.facts([generator.iter], [iterable])
    with low.block() as body:
        low.bind(bound_by_target(where))
        _conditions(low, node, generators, list(generator.ifs), result)
    span = low.span(generator.target)
    end = low.span(generator.iter)
    label = f"for {low.source.excerpt(span)}"
    whole = span._replace(end_line=end.end_line, end_column=end.end_column)
    low.add(For(label, where, iterable, tuple(body), (), facts, whole))


def _conditions(
    low: Lowering,
    node: Comprehension,
    generators: Sequence[ast.comprehension],
    conditions: list[ast.expr],
    result: "Slot",
) -> None:
    if not conditions:
        _loops(low, node, generators[1:], result)
        return
    condition = expressions.test(low, conditions[0])
    expressions.choose(
        low,
        condition,
        lambda: _conditions(low, node, generators, conditions[1:], result),
        lambda: None,
        conditions[0],
    )


def _element(low: Lowering, node: Comprehension, result: "Slot") -> None:
    match node:
        case ast.DictComp(key=key, value=value):
            expressions.in_order(low, [key, value])
            # A pair evaluates its key first, an assignment to a subscript its value.
            expressions.settle(low, key)
            place = located(ast.Subscript(load(result, node), key, ast.Store()), node)
            low.code(located(ast.Assign([place], value), node))
        case ast.ListComp(elt=element) | ast.SetComp(elt=element) | ast.GeneratorExp(elt=element):
            expressions.take_out(low, element)
            name = "add" if isinstance(node, ast.SetComp) else "append"
            method = located(ast.Attribute(load(result, node), name, ast.Load()), node)
            low.code(located(ast.Expr(located(ast.Call(method, [element], []), node)), node))


def _rename(low: Lowering, node: Comprehension) -> None:
    """Give the comprehension's variables names of their own, wherever its scope reaches."""
    own: set[str] = set()
    for generator in node.generators:
        own |= bound_by_target(generator.target)
    names = {name: low.fresh(name) for name in sorted(own)}
    first = node.generators[0].iter
    for generator in node.generators:
        if generator.iter is not first:
            _rename_in(low, generator.iter, names)
        _rename_in(low, generator.target, names)
        for condition in generator.ifs:
            _rename_in(low, condition, names)
    for part in [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]:
        _rename_in(low, part, names)


def _rename_in(low: Lowering, node: ast.AST, names: dict[str, str]) -> None:
    match node:
        case ast.Name(id=name, ctx=context):
            if name in names:
                made = (
                    store(names[name], node)
                    if isinstance(context, ast.Store)
                    else load(names[name], node)
                )
                low.replaced[id(node)] = made
            return
        case ast.Lambda():
            for default in defaults_of(node):
                _rename_in(low, default, names)
            if (uses([node.body]).reads - {*parameters_of(node)}) & names.keys():
                raise NotYetError(
                    "a lambda that keeps the variable of a comprehension with operations"
                )
            return
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            _rename_inner(low, node, names)
            return
        case _:
            pass
    for part in ast.iter_child_nodes(node):
        _rename_in(low, part, names)


def _rename_inner(low: Lowering, node: Comprehension, names: dict[str, str]) -> None:
    """A comprehension inside hides the names it binds itself."""
    own: set[str] = set()
    for generator in node.generators:
        own |= bound_by_target(generator.target)
    _rename_in(low, node.generators[0].iter, names)
    inside = {name: slot for name, slot in names.items() if name not in own}
    for position, generator in enumerate(node.generators):
        if position:
            _rename_in(low, generator.iter, inside)
        _rename_in(low, generator.target, inside)
        for condition in generator.ifs:
            _rename_in(low, condition, inside)
    for part in [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]:
        _rename_in(low, part, inside)
