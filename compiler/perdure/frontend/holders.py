"""Functions that lie somewhere in a module-level value that is no plain table of them.

    TOOLS = {"weather": (str, weather), "time": (int, time_in)}
    FIRST = functools.partial(fetch, 1)

Whoever reads such a name may take them out and call them.
"""

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from perdure.frontend.analysis import FunctionKind
from perdure.frontend.meanings import Func, GlobalValue, Scope

if TYPE_CHECKING:
    from perdure.frontend.resolver import Resolver

__all__ = ["functions_in"]

_AWAITED = (FunctionKind.STEP, FunctionKind.FLOW, FunctionKind.HELPER)


def functions_in(
    resolver: "Resolver", value: GlobalValue
) -> Iterator[tuple[ast.Name | ast.Attribute, Func]]:
    """The steps, flows and helpers in the value, with the places that name them."""
    scope = Scope(value.module, None, {})
    for binding in value.bindings:
        if not isinstance(binding.value, ast.Dict | ast.List | ast.Tuple | ast.Call):
            continue
        for inner in ast.walk(binding.value):
            if isinstance(inner, ast.Name | ast.Attribute):
                found = resolver.expression(inner, scope)
                if isinstance(found, Func) and found.kind in _AWAITED:
                    yield inner, found
