"""Functions that lie somewhere in a module-level value that is no plain table of them.

    TOOLS = {"weather": (str, weather), "time": (int, time_in)}
    FIRST = functools.partial(fetch, 1)

Whoever reads such a name may take them out and call them.
"""

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from perdure import rules
from perdure.frontend import known
from perdure.frontend.analysis import FunctionKind
from perdure.frontend.meanings import External, Func, GlobalValue, Scope
from perdure.ir import Ref
from perdure.modules import Module

if TYPE_CHECKING:
    from perdure.frontend.reader import Reader
    from perdure.frontend.resolver import Resolver

__all__ = ["constant", "defaults", "functions_in"]

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


def constant(reader: "Reader", value: GlobalValue) -> None:
    """A module-level constant that flow code reads: its lambdas are flow code, and it may not hold
    a clock, whose reads would not be recorded."""
    for binding in value.bindings:
        pending = [binding.value] if binding.value is not None else []
        while pending:
            part = pending.pop()
            if isinstance(part, ast.Lambda):
                ref = Ref(value.module.name, f"{value.ref.qualname}.lambda")
                reader.walk.reach(Func(ref, FunctionKind.PURE, part, value.module))
                continue
            _clock(reader, part, value.module)
            pending += (p for p in ast.iter_child_nodes(part) if isinstance(p, ast.expr))


def defaults(reader: "Reader", args: ast.arguments) -> None:
    """The defaults of a function at module level: made once, when the module is imported."""
    for default in (*args.defaults, *args.kw_defaults):
        parts = [*ast.walk(default)] if default is not None else []
        lazy = {
            id(inner) for part in parts if isinstance(part, ast.Lambda) for inner in ast.walk(part)
        }
        called = {id(part.func) for part in parts if isinstance(part, ast.Call)} - lazy
        for part in parts:
            if id(part) not in called:  # what is read at once has a rule of its own
                _clock(reader, part, reader.state.module)


def _clock(reader: "Reader", part: ast.AST, module: Module) -> None:
    if isinstance(part, ast.Name | ast.Attribute):
        found = reader.resolver.expression(part, Scope(module, None, {}))
        if isinstance(found, External) and found.dotted in known.READS:
            span = module.source.span(part)
            if reader.state.certain:
                reader.walk.report.error(rules.CLOCK_KEPT, span, call=ast.unparse(part))
