"""Which expressions give a set: operators on sets and views, and functions that return one."""

import ast
from typing import TYPE_CHECKING

from perdure.frontend.meanings import SET, External, Func, Instance, Scope, is_set
from perdure.frontend.symbols import every_statement, names_of

if TYPE_CHECKING:
    from perdure.frontend.resolver import Resolver

__all__ = ["is_setlike", "returned"]


def is_setlike(resolver: "Resolver", node: ast.expr, scope: Scope) -> bool:
    """A set, or a view of a dict, which set operators make one of."""
    match node:
        case ast.Call(func=ast.Attribute(value=value, attr="keys" | "items"), args=[]):
            base = resolver.expression(value, scope)
            return not isinstance(base, Instance) or base.type == External("builtins.dict")
        case _:
            return is_set(resolver.expression(node, scope))


def returned(resolver: "Resolver", func: Func) -> Instance | None:
    """A set, if that is what every `return` of an unannotated function gives."""
    node = func.node
    if node is None or id(node) in resolver.returns:
        return resolver.returns.get(id(node))
    resolver.returns[id(node)] = None  # what calls itself has no value yet
    names = names_of(node)
    scope = Scope(func.module, func.scope, names.bindings, names, func.ref.qualname)
    if isinstance(node, ast.Lambda):
        values: list[ast.expr | None] = [node.body]
    else:
        found = every_statement(node.body)
        values = [each.value for each in found if isinstance(each, ast.Return)]
    if values and all(is_set(resolver.expression(value, scope)) for value in values):
        resolver.returns[id(node)] = SET
    return resolver.returns[id(node)]
