"""Imports that find nothing: a module that the project does not have, a name that a module does not
bind, a relative import that leads out of the project.

A module comes in, with the graph of those read so far; what is wrong goes to the report. Packages
outside the project are names only, so whatever is imported from one is accepted; so are imports
that expect to fail (`try: ... except ImportError:`) and those for type checkers alone.
"""

import ast
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import final

import perdure
from perdure import rules
from perdure.diagnostics import nearest
from perdure.frontend.resolver import Resolver
from perdure.frontend.symbols import BindingKind
from perdure.modules import Import, Module, imported_module, inner_statements

__all__ = ["check_imports"]

_EXPECTED = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})


def check_imports(module: Module, resolver: Resolver) -> bool:
    """Refuse the imports of one module that would raise ImportError; False if there are any."""
    imports = _Imports(module, resolver)
    imports.check()
    return imports.found


@final
class _Imports:
    def __init__(self, module: Module, resolver: Resolver) -> None:
        self.module = module
        self.resolver = resolver
        self.graph = resolver.graph
        self.root = self.graph.project.root
        self.found = True

    def check(self) -> None:
        depth = len(self.module.package.split(".")) if self.module.package else 0
        for node in _imports(self.module.tree.body):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    self.absolute(alias, alias.name)
            elif node.level > depth:
                self.leaves(node)
            else:
                self.names(node, imported_module(self.module, node))

    def absolute(self, at: ast.alias | ast.ImportFrom, name: str) -> bool:
        """Whether the module is there, or may be somebody else's; its absence is reported."""
        parts = name.split(".")
        if not self.is_ours(parts[0]):
            return True
        for length in range(2, len(parts) + 1):
            part = ".".join(parts[:length])
            if self.graph.file_of(part) is None and not self.folder(part).is_dir():
                self.report(at, part, ".".join(parts[: length - 1]))
                return False
        return True

    def names(self, node: ast.ImportFrom, base: str) -> None:
        """`from base import name`: modules, or what the module binds."""
        if base == "perdure":
            self.ours(node)
        if not self.absolute(node, base) or not self.is_ours(base.partition(".")[0]):
            return
        module = self.graph.find(base)
        if module is None and self.graph.file_of(base) is not None:
            return  # it could not be read, which was reported
        for alias in node.names:
            part = f"{base}.{alias.name}"
            found = self.graph.file_of(part) is not None or self.folder(part).is_dir()
            if alias.name != "*" and not found and not self.binds(module, alias.name):
                self.report(alias, part, base)

    def ours(self, node: ast.ImportFrom) -> None:
        """`from perdure import name`."""
        for alias in node.names:
            known = alias.name == "*" or hasattr(perdure, alias.name)
            if not known and find_spec(f"perdure.{alias.name}") is None:
                self.report(alias, f"perdure.{alias.name}", "perdure")

    def binds(self, module: Module | None, name: str) -> bool:
        """Whether a module may have a name of its own."""
        if module is None:
            return False
        symbols = self.resolver.symbols(module)
        if symbols.stars or name.startswith("__") or {"__getattr__", name} & {*symbols.bindings}:
            return True
        return any(
            isinstance(node, ast.Global) or (isinstance(node, ast.Name) and node.id == "globals")
            for node in ast.walk(module.tree)
        )

    def is_ours(self, top: str) -> bool:
        """Whether a top-level package is of this project."""
        if top == "perdure":
            return False
        return self.graph.file_of(top) is not None or _holds_code(self.folder(top))

    def folder(self, name: str) -> Path:
        return self.root.joinpath(*name.split("."))

    def report(self, at: ast.alias | ast.ImportFrom, name: str, base: str) -> None:
        self.found = False
        last = name.rpartition(".")[2]
        ours = base == "perdure"
        close = nearest(last, perdure.__all__ if ours else self.members(base))
        hint = f"write `{close}`" if close else f"create `{name.replace('.', '/')}.py`"
        if ours and not close:
            hint = f"remove `{last}`"
        self.graph.report.error(
            rules.MISSING_MODULE, self.module.source.span(at), name=last, base=base, hint=hint
        )

    def members(self, base: str) -> list[str]:
        """What can be imported from a package."""
        folder, module = self.folder(base), self.graph.find(base)
        names = [path.stem for path in sorted(folder.glob("*.py"))] if folder.is_dir() else []
        own = self.resolver.symbols(module).bindings if module is not None else {}
        return names + [
            name for name, found in own.items() if found[0].kind is not BindingKind.IMPORT
        ]

    def leaves(self, node: ast.ImportFrom) -> None:
        self.found = False
        dots = "." * node.level
        written = f"from {dots}{node.module or ''} import {node.names[0].name}"
        absolute = f"from {node.module} import" if node.module else "import"
        self.graph.report.error(
            rules.IMPORT_LEAVES_PROJECT,
            self.module.source.span(node),
            written=written,
            absolute=f"{absolute} {node.names[0].name}",
        )


def _holds_code(folder: Path) -> bool:
    return folder.is_dir() and any(folder.glob("*.py"))


def _imports(body: list[ast.stmt]) -> Iterator[Import]:
    """Imports that are meant to succeed, in source order."""
    pending = body[::-1]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            pending.extend(reversed(node.orelse))
        elif isinstance(node, ast.Try) and _expects_failure(node):
            continue
        else:
            pending.extend(reversed([*inner_statements(node)]))


def _expects_failure(node: ast.Try) -> bool:
    return any(
        handler.type is None or any(name in ast.unparse(handler.type) for name in _EXPECTED)
        for handler in node.handlers
    )
