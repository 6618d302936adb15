"""Coroutine methods of the project's classes, where they are called on an object of any class.

Comes in: a call as written. Goes out: the methods that it may be.
"""

import ast
from typing import TYPE_CHECKING

from perdure.frontend.analysis import FunctionKind

if TYPE_CHECKING:
    from perdure.frontend.analysis import Analysis
    from perdure.ir import Ref

__all__ = ["methods_called"]


def methods_called(analysis: "Analysis", node: ast.expr) -> "tuple[Ref, ...]":
    """The coroutine methods that have the name of the method called."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return ()
    name = node.func.attr
    return tuple(
        ref
        for ref, info in analysis.functions.items()
        if info.owner is not None
        and info.kind is FunctionKind.HELPER
        and ref.qualname.rpartition(".")[2] == name
    )
