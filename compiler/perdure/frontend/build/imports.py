"""What a module's own imports call things: `suppress` is `contextlib.suppress`."""

import ast
from typing import final

__all__ = ["Imports"]


@final
class Imports:
    """The names that imports of one module bind, with what they mean."""

    def __init__(self, tree: ast.Module) -> None:
        self._names: dict[str, str] = {}
        for node in tree.body:
            match node:
                case ast.Import(names=names):
                    for alias in names:
                        if alias.asname is not None:
                            self._names[alias.asname] = alias.name
                        else:
                            first = alias.name.partition(".")[0]
                            self._names[first] = first
                case ast.ImportFrom(module=str(module), names=names, level=0):
                    for alias in names:
                        self._names[alias.asname or alias.name] = f"{module}.{alias.name}"
                case _:
                    pass

    def dotted(self, node: ast.expr) -> str | None:
        """The full name of an imported thing, however it was written."""
        match node:
            case ast.Name(id=name):
                return self._names.get(name)
            case ast.Attribute(value=value, attr=attribute):
                base = self.dotted(value)
                return None if base is None else f"{base}.{attribute}"
            case _:
                return None
