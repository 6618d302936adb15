"""The project's modules that a file reaches, read but never run.

A path comes in; the modules that it and its imports lead to go out, each parsed once, in the order
in which a reader meets them. Other packages are names only. Text that cannot be read or parsed is
a diagnostic.
"""

import ast
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, final

from perdure import rules
from perdure.diagnostics import Report
from perdure.project import Project
from perdure.source import Source, SourceError, Span

__all__ = [
    "Module",
    "ModuleGraph",
    "imported_module",
    "inner_statements",
    "parse",
    "read_source",
]

PERDURE = "perdure"
YIELDS = "'return' with value in async generator"
NOT_ASYNC = (
    "'await' outside async function",
    "'async for' outside async function",
    "'async with' outside async function",
    "asynchronous comprehension outside of an asynchronous function",
)

DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)

type Import = ast.Import | ast.ImportFrom


class Module(NamedTuple):
    """One file of the project. `name` is its path from the root, with dots."""

    name: str
    path: Path
    source: Source
    tree: ast.Module
    is_package: bool
    imports: tuple[Import, ...]
    """Every import statement, in source order, at whatever depth it stands."""
    methods: frozenset[str]
    """The names of what classes in it define."""

    @property
    def package(self) -> str:
        """The package that relative imports of this module start from."""
        return self.name if self.is_package else self.name.rpartition(".")[0]


@final
class ModuleGraph:
    """The project modules read so far; `load` adds a file and everything it imports."""

    def __init__(self, project: Project, report: Report) -> None:
        self.project = project
        self.report = report
        self._modules: dict[str, Module | None] = {}

    @property
    def modules(self) -> Mapping[str, Module]:
        """The modules by name, each importer before what it imports first."""
        return {name: module for name, module in self._modules.items() if module is not None}

    def find(self, name: str) -> Module | None:
        """The loaded project module of that dotted name."""
        return self._modules.get(name)

    def load(self, path: Path, text: str | None = None) -> Module | None:
        """The module of a file (of `text`, if given), with all it imports; None if reported."""
        name = self.project.module_name(path)
        if name is None:
            suggestion = path.stem.replace(".", "_") + path.suffix
            self.report.error(
                rules.MODULE_NAME,
                None,
                file=self.project.display(path),
                suggestion=suggestion,
            )
            return None
        module = self._read(name, path, text)
        if module is not None:
            self._follow(module)
        return module

    def closure(self, start: Module) -> tuple[Module, ...]:
        """The module, the packages it lies in, and every project module they may import.

        What has to be there when the module is imported: in the order of their paths.
        """
        found: dict[str, Module] = {}
        pending = [start]
        while pending:
            module = pending.pop()
            if module.name in found:
                continue
            found[module.name] = module
            names = [name for name, _ in self._imported_files(module)]
            for name in (*_with_packages(module.name), *names):
                other = self._loaded(name)
                if other is not None:
                    pending.append(other)
        return tuple(sorted(found.values(), key=lambda module: module.source.path))

    def _loaded(self, name: str) -> Module | None:
        """The project module of that name, read now if it was not."""
        if name not in self._modules:
            path = self.file_of(name)
            module = None if path is None else self._read(name, path)
            if module is not None:
                self._follow(module)
        return self._modules.get(name)

    def _follow(self, start: Module) -> None:
        pending = [iter(self._imported_files(start))]
        while pending:
            for name, path in pending[-1]:
                if name in self._modules:
                    continue
                module = self._read(name, path)
                if module is not None:
                    pending.append(iter(self._imported_files(module)))
                    break
            else:
                pending.pop()

    def _imported_files(self, module: Module) -> Iterator[tuple[str, Path]]:
        for node in module.imports:
            for name in _named_modules(module, node):
                own = self._own_perdure() if name == PERDURE else None
                if own is not None:
                    self._shadows(module, node, name, own)
                path = self.file_of(name)
                if path is None:
                    continue
                if name in sys.stdlib_module_names:
                    self._shadows(module, node, name, path)
                    continue
                yield name, path

    def file_of(self, name: str) -> Path | None:
        """The file of a project module, if the project has one of that name."""
        if name == PERDURE or name.startswith("perdure."):
            return None
        parts = name.split(".")
        if not all(part.isidentifier() for part in parts):
            return None
        folder = self.project.root.joinpath(*parts)
        for candidate in (folder / "__init__.py", folder.with_name(f"{parts[-1]}.py")):
            if candidate.is_file():
                return candidate
        return None

    def check_name(self, module: Module) -> None:
        """Refuse a module that takes the place of one of the standard library for everybody."""
        hidden = module.name.partition(".")[0]
        if hidden in sys.stdlib_module_names:
            self.report.error(
                rules.SHADOWED_MODULE,
                module.source.line_span(1),
                file=module.source.path,
                module=hidden,
                owner="the standard library",
            )

    def _shadows(self, module: Module, node: Import, name: str, path: Path) -> None:
        self.report.error(
            rules.SHADOWED_MODULE,
            module.source.span(node),
            file=self.project.display(path),
            module=name,
            owner="this compiler" if name == PERDURE else "the standard library",
        )

    def _own_perdure(self) -> Path | None:
        """A file of the project that an `import perdure` would find."""
        root = self.project.root
        for path in (root / f"{PERDURE}.py", root / PERDURE / "__init__.py"):
            if path.is_file() and not (root / PERDURE / "language.py").is_file():
                return path
        return None

    def _read(self, name: str, path: Path, text: str | None = None) -> Module | None:
        if name in self._modules:
            return self._modules[name]
        self._modules[name] = None
        display = self.project.display(path)
        if text is None:
            source = read_source(path, display, self.report)
        else:
            source = Source(display, text)
            self.report.add_source(source)
        tree = parse(source, self.report, self.project.python) if source else None
        if source is None or tree is None:
            return None
        imports, methods = _declared(tree)
        is_package = path.name == "__init__.py"
        module = Module(name, path, source, tree, is_package, imports, methods)
        self._modules[name] = module
        return module


def read_source(path: Path, display: str, report: Report) -> Source | None:
    """The text of a file, or a diagnostic."""
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or str(error)
        report.error(rules.UNREADABLE_FILE, None, file=display, problem=problem.lower())
        return None
    try:
        source = Source.from_bytes(display, data)
    except SourceError as error:
        shown = Source(display, data.decode("utf-8", "replace"))
        report.add_source(shown)
        rule = rules.NULL_BYTE if b"\0" in data[:4096] else rules.UNDECODABLE
        report.error(rule, shown.line_span(error.line), problem=error.problem)
        return None
    report.add_source(source)
    return source


def parse(source: Source, report: Report, pinned: tuple[int, int]) -> ast.Module | None:
    """The syntax tree of a source under the pinned Python version, or a diagnostic."""
    null = source.text.find("\0")
    if null >= 0:
        line = source.text.count("\n", 0, null) + 1
        column = null - (source.text.rfind("\n", 0, null) + 1)
        report.error(rules.NULL_BYTE, Span(source.path, line, column, line, column + 1))
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = _parse(source, report, pinned)
            if tree is not None:
                _compile(tree, source)
            return tree
    except SyntaxError as error:
        span = _error_span(source, error)
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        report.error(rules.SYNTAX_ERROR, span, problem=_problem(error), python=python)
    except (RecursionError, MemoryError):
        # Where it is too deep CPython does not say.
        report.error(rules.TOO_DEEP, Span(source.path, 1, 0, 1, 1))
    except ValueError as error:
        # Lone surrogates in the text, or a number of more digits than CPython converts.
        report.error(rules.UNDECODABLE, source.line_span(1), problem=str(error))
    return None


def _parse(source: Source, report: Report, pinned: tuple[int, int]) -> ast.Module | None:
    if pinned >= sys.version_info[:2]:
        return ast.parse(source.text, source.path)
    try:
        return ast.parse(source.text, source.path, feature_version=pinned)
    except SyntaxError as error:
        ast.parse(source.text, source.path)
        needed = f"{sys.version_info.major}.{sys.version_info.minor}"
        report.error(
            rules.SYNTAX_TOO_NEW,
            _error_span(source, error),
            pinned=".".join(map(str, pinned)),
            needed=needed,
        )
        return None


def _compile(tree: ast.Module, source: Source) -> None:
    """See what only CPython's compiler sees: `return` outside a function, two parameters of one
    name. The code is dropped; nothing runs. What the rules for flows say better is left to them.
    """
    try:
        compile(tree, source.path, "exec", dont_inherit=True)
    except SyntaxError as error:
        if not _said_of_flow(tree, error):
            raise


def _said_of_flow(tree: ast.Module, error: SyntaxError) -> bool:
    """Whether this is a flow that yields, or one that is no `async def`."""
    line = error.lineno or 0
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _holds(node, line):
            is_async = isinstance(node, ast.AsyncFunctionDef)
            marked = any(_is_flow_mark(mark) for mark in node.decorator_list)
            inner = (child for child in _below(node) if isinstance(child, DEFINITIONS))
            own = not any(_holds(child, line) for child in inner)
            known = error.msg == YIELDS or error.msg in NOT_ASYNC
            return known and marked and own and is_async == (error.msg == YIELDS)
    return False


def _holds(node: ast.stmt, line: int) -> bool:
    return node.lineno <= line <= (node.end_lineno or node.lineno)


def _below(node: ast.stmt) -> Iterator[ast.stmt]:
    pending = [*inner_statements(node)]
    while pending:
        child = pending.pop()
        yield child
        pending.extend(inner_statements(child))


def _is_flow_mark(mark: ast.expr) -> bool:
    called = mark.func if isinstance(mark, ast.Call) else mark
    match called:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name == "flow"
        case _:
            return False


def _declared(tree: ast.Module) -> tuple[tuple[Import, ...], frozenset[str]]:
    """The imports and the names of methods of a module, found once for all of its flows."""
    imports: list[Import] = []
    methods: set[str] = set()
    pending: list[ast.stmt] = tree.body[::-1]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            imports.append(node)
            continue
        inner = [*inner_statements(node)]
        if isinstance(node, ast.ClassDef):
            functions = (ast.FunctionDef, ast.AsyncFunctionDef)
            methods.update(member.name for member in inner if isinstance(member, functions))
        pending.extend(reversed(inner))
    return tuple(imports), frozenset(methods)


def inner_statements(node: ast.stmt) -> Iterator[ast.stmt]:
    """The statements in the blocks of a compound one, in source order."""
    for field in ("body", "handlers", "cases", "orelse", "finalbody"):
        inner: Iterable[ast.AST] = getattr(node, field, ())
        for child in inner:
            if isinstance(child, ast.stmt):
                yield child
            elif isinstance(child, ast.ExceptHandler | ast.match_case):
                yield from child.body


def imported_module(module: Module, node: ast.ImportFrom) -> str:
    """The absolute dotted name that a `from ... import` starts from; "" beyond the root."""
    if not node.level:
        return node.module or ""
    parts = module.package.split(".") if module.package else []
    if node.level - 1 > len(parts):
        return ""
    base = parts[: len(parts) - (node.level - 1)]
    return ".".join([*base, *([node.module] if node.module else [])])


def _named_modules(module: Module, node: Import) -> Iterator[str]:
    """Every module an import may load: packages on the way, and names that may be modules."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield from _with_packages(alias.name)
        return
    base = imported_module(module, node)
    if not base and not node.level:
        return
    yield from _with_packages(base)
    for alias in node.names:
        if alias.name != "*":
            yield f"{base}.{alias.name}" if base else alias.name


def _with_packages(name: str) -> Iterator[str]:
    parts = name.split(".") if name else []
    for length in range(1, len(parts) + 1):
        yield ".".join(parts[:length])


def _error_span(source: Source, error: SyntaxError) -> Span:
    """Where CPython saw it: `SyntaxError` counts characters, from 1, and may point nowhere."""
    last = max(len(source.lines), 1)
    line = min(max(error.lineno or 1, 1), last)
    width = len(source.lines[line - 1])
    column = min(max((error.offset or 1) - 1, 0), width)
    end_line, end_column = line, column + 1
    if error.end_lineno == line and (error.end_offset or 0) - 1 > column:
        end_column = min((error.end_offset or 0) - 1, width)
    return Span(source.path, line, column, end_line, max(end_column, column + 1))


def _problem(error: SyntaxError) -> str:
    text = error.msg or "invalid syntax"
    return text[:1].lower() + text[1:]
