"""Attributes that a function computes: `@property` and `@cached_property` of project classes."""

import ast
from typing import TYPE_CHECKING

from perdure.frontend.meanings import Class, External, Func, GlobalValue, Instance, Meaning, Scope

if TYPE_CHECKING:
    from perdure.frontend.resolver import Resolver

__all__ = ["property_of"]

_MARKS = frozenset({External("builtins.property"), External("functools.cached_property")})


def property_of(resolver: "Resolver", base: Meaning | None, attr: str) -> Func | None:
    """The function that computes `base.attr`, where that is a property."""
    if isinstance(base, GlobalValue):
        base = base.instance
    if not isinstance(base, Instance) or not isinstance(base.type, Class):
        return None
    found = resolver.method(base.type, attr)
    if found is None or not isinstance(found.node, ast.FunctionDef):
        return None
    scope = Scope(found.module, None, {})
    marks = {resolver.expression(mark, scope) for mark in found.node.decorator_list}
    return found if marks & _MARKS else None
