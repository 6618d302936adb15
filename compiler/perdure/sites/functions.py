"""Lambdas and nested functions of a flow as values: their names in the emitted module, and back.

Comes in: the flow's table. Goes out: a `perdure.codec.FunctionTable`. A name is the node whose code
makes the function and its place in there: "after classify/0.1" (in the scope "gather[0]":
"gather[0]|after classify/0.1").
"""

from collections.abc import Callable, Iterator
from types import CellType, CodeType, FunctionType
from typing import final

from perdure.sites.table import Catch, Flow

__all__ = ["Functions"]


@final
class Functions:
    """Of one flow. Its functions are found when the first one is asked for."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._names: dict[CodeType, str] = {}
        self._codes: dict[str, tuple[CodeType, FunctionType]] = {}

    def name_of(self, function: FunctionType) -> str | None:
        """The name of a function that the flow's code made; None for any other."""
        self._find()
        return self._names.get(function.__code__)

    def build(self, name: str, cells: tuple[CellType, ...]) -> FunctionType:
        """The function of that name over these cells."""
        self._find()
        code, maker = self._codes[name]
        made = FunctionType(code, maker.__globals__, code.co_name, None, cells)
        made.__qualname__ = code.co_qualname
        return made

    def _find(self) -> None:
        if self._codes:
            return
        for maker, where in self._makers():
            for place, code in _nested(maker.__code__, ""):
                name = f"{where}/{place}"
                self._names.setdefault(code, name)
                self._codes[name] = (code, maker)

    def _makers(self) -> Iterator[tuple[FunctionType, str]]:
        for scope_id, scope in self._flow.scopes.items():
            for pc, node in scope.nodes.items():
                if isinstance(node, Catch):
                    continue
                code: Callable[..., object] = node.code
                if isinstance(code, FunctionType):
                    yield code, f"{scope_id}|{pc}" if scope_id else pc


def _nested(code: CodeType, place: str) -> Iterator[tuple[str, CodeType]]:
    inner = [one for one in code.co_consts if isinstance(one, CodeType)]
    for number, one in enumerate(inner):
        here = f"{place}.{number}" if place else str(number)
        yield here, one
        yield from _nested(one, here)
