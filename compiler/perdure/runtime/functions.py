"""Names for the nested functions and lambdas of loaded modules, so that they can be values.

A name is `module:qualname`, with `#2` and so on where a function has several of one qualname
(lambdas), in the order of the source.
"""

from collections.abc import Iterable, Iterator, Mapping
from types import CellType, CodeType, FunctionType, ModuleType
from typing import TypeGuard, final

__all__ = ["ModuleFunctions"]


@final
class ModuleFunctions:
    """The `FunctionTable` of the modules a flow was loaded from."""

    def __init__(self, modules: Mapping[str, ModuleType]) -> None:
        self._modules = modules
        self._names: dict[str, dict[CodeType, str]] = {}
        self._codes: dict[str, dict[str, CodeType]] = {}

    def name_of(self, function: FunctionType) -> str | None:
        """Return the name of a nested function, None for one of another program."""
        module = function.__module__
        if module not in self._modules:
            return None
        self._index(module)
        return self._names[module].get(function.__code__)

    def build(self, name: str, cells: tuple[CellType, ...]) -> FunctionType:
        """Make a function of that name's code over these cells."""
        module = name.partition(":")[0]
        self._index(module)
        code = self._codes[module][name]
        made = FunctionType(code, self._modules[module].__dict__, code.co_name, None, cells or None)
        made.__module__ = module
        made.__qualname__ = code.co_qualname
        return made

    def _index(self, module: str) -> None:
        if module in self._codes:
            return
        names: dict[CodeType, str] = {}
        codes: dict[str, CodeType] = {}
        for code in _nested(_top_level(self._modules[module])):
            plain = f"{module}:{code.co_qualname}"
            name, count = plain, 1
            while name in codes:
                count += 1
                name = f"{plain}#{count}"
            names.setdefault(code, name)
            codes[name] = code
        self._names[module], self._codes[module] = names, codes


def _top_level(module: ModuleType) -> Iterator[CodeType]:
    """The code of functions defined in a module, methods and decorated ones included."""
    seen: set[int] = set()
    pending: list[object] = [*vars(module).values()]
    while pending:
        value = pending.pop(0)
        if id(value) in seen:
            continue
        seen.add(id(value))
        inner: object = getattr(value, "__wrapped__", None)
        if inner is not None:
            pending.append(inner)
        if isinstance(value, FunctionType) and value.__module__ == module.__name__:
            yield value.__code__
        elif isinstance(value, type) and value.__module__ == module.__name__:
            pending += vars(value).values()
        else:
            pending += _members(value)


def _members(value: object) -> Iterable[object]:
    """What a table of functions holds."""
    if _is_table(value):
        return tuple(value.values())
    if _is_row(value):
        return tuple(value)
    # A staticmethod or classmethod has its function as `__wrapped__`, which was followed.
    if isinstance(value, property):
        return (value.fget, value.fset)
    return ()


def _is_table(value: object) -> TypeGuard[Mapping[object, object]]:
    return isinstance(value, dict)


def _is_row(value: object) -> TypeGuard[Iterable[object]]:
    return isinstance(value, (list, tuple))


def _nested(codes: Iterable[CodeType]) -> Iterator[CodeType]:
    for code in codes:
        yield code
        yield from _nested(const for const in code.co_consts if isinstance(const, CodeType))
