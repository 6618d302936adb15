"""Functions as values: what a program supplies so that its nested functions can cross."""

from types import CellType, FunctionType
from typing import Protocol


class FunctionTable(Protocol):
    """Names the lambdas and nested functions of a program and builds them again.

    The codec itself carries the cells (shared between closures), the defaults and identity.
    """

    def name_of(self, function: FunctionType) -> str | None:
        """The stable name of a nested function's code, None for one that is not of the program."""
        ...

    def build(self, name: str, cells: tuple[CellType, ...]) -> FunctionType:
        """A function of that code over these cells (the codec fills them and sets defaults)."""
        ...
