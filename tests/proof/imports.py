"""Imports modules from their texts: nothing is written to disk, and no text is compiled twice."""

import importlib.abc
import importlib.machinery
import sys
import types
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import final

__all__ = ["imported"]


@contextmanager
def imported(texts: Mapping[str, str], folder: str = "") -> Generator[None]:
    """Modules by their dotted names are the ones that `import` finds while the block runs.

    `folder`: where their `__file__` says that they lie.
    """
    before = {name: sys.modules.pop(name) for name in texts if name in sys.modules}
    finder = _Texts(texts, folder)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in texts:
            sys.modules.pop(name, None)
        sys.modules.update(before)


@lru_cache(maxsize=64)
def _code(text: str, name: str) -> types.CodeType:
    return compile(text, name, "exec", dont_inherit=True)


@final
class _Texts(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def __init__(self, texts: Mapping[str, str], folder: str) -> None:
        self._texts = texts
        self._folder = folder

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Of the import protocol."""
        known = fullname in self._texts
        return importlib.machinery.ModuleSpec(fullname, self) if known else None

    def exec_module(self, module: types.ModuleType) -> None:
        """Of the import protocol."""
        path = f"{self._folder}{module.__name__.replace('.', '/')}.py"
        module.__file__ = path
        exec(_code(self._texts[module.__name__], path), module.__dict__)
