"""The names that pure code takes from the user's modules.

Comes in: the sources of a program and pieces of code. Goes out: which free names are bound at the
top of which module; all others are builtins, or names of comprehensions and lambdas.
"""

import ast
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import final

__all__ = ["ModuleNames", "loaded_names", "module_path"]


def module_path(module: str, paths: Iterable[str]) -> str | None:
    """The file of a module among the paths: `flows.triage` is flows/triage.py."""
    plain = module.replace(".", "/")
    known = set(paths)
    for path in (f"{plain}.py", f"{plain}/__init__.py", f"src/{plain}.py"):
        if path in known:
            return path
    return None


def loaded_names(nodes: Iterable[ast.AST]) -> dict[str, None]:
    """Names that are read somewhere inside, in order."""
    return {
        node.id: None
        for root in nodes
        for node in ast.walk(root)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }


@final
class ModuleNames:
    """Top-level names of modules, found when they are asked for."""

    def __init__(self, sources: Sequence[tuple[str, str]]) -> None:
        self._sources: Mapping[str, str] = dict(sources)
        self._names: dict[str, frozenset[str] | None] = {}

    def binds(self, module: str, name: str) -> bool:
        """Whether the module binds the name at its top level (or may, by a star import)."""
        if name in {"__perdure__", "__sites__"}:
            return True
        if module not in self._names:
            path = module_path(module, self._sources)
            text = None if path is None else self._sources[path]
            self._names[module] = None if text is None else _top_level(text)
        names = self._names[module]
        if names is None or "*" in names:
            import builtins

            return not hasattr(builtins, name)
        return name in names


@lru_cache(maxsize=64)
def _top_level(text: str) -> frozenset[str]:
    names: set[str] = set()
    stack: list[ast.AST] = list(ast.parse(text).body)
    while stack:
        node = stack.pop()
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                names.add(name)
            case ast.ClassDef(name=name) | ast.TypeAlias(name=ast.Name(id=name)):
                names.add(name)
            case ast.Import(names=aliases):
                names.update(a.asname or a.name.partition(".")[0] for a in aliases)
            case ast.ImportFrom(names=aliases):
                names.update(a.asname or a.name for a in aliases)
            case ast.Name(id=name, ctx=ast.Store()):
                names.add(name)
            case ast.Lambda() | ast.ListComp() | ast.SetComp() | ast.DictComp():
                pass
            case _:
                stack.extend(ast.iter_child_nodes(node))
    return frozenset(names)
