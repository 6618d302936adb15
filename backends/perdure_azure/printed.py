"""The project's modules as an Azure app runs them.

A program of the Flow IR and the analysis it was built from come in; the text of each module goes
out. Flows and helpers are printed from the IR; other functions that flows reach are instrumented;
every other line is as the author wrote it, comments and all. Line numbers in the user's file
stand in comments, and in `__sites__`.
"""

import ast
import re
from collections.abc import Iterator
from typing import final

from perdure.diagnostics import InternalError
from perdure.frontend import instrument
from perdure.frontend.analysis import Analysis
from perdure.ir import Function, Program, Ref
from perdure.modules import Module, imported_module
from perdure.runtime.here import Place, map_text
from perdure.runtime.site import Site
from perdure.source import Span
from perdure_azure.emit import Place as Printing
from perdure_azure.emit import body_of
from perdure_azure.forms import MARK, is_mark
from perdure_azure.places import places_of
from perdure_azure.spelling import head_of, spelt, with_body

__all__ = ["print_modules"]

CALLS = "from perdure.runtime import calls as __perdure__"
LONGEST = 100
_MARKED = re.compile(rf"^( *)(?:'|\"\"\"){re.escape(MARK)}(.*?)(?:'|\"\"\")$")


def print_modules(program: Program, analysis: Analysis) -> dict[str, str]:
    """The text of each module by its path, in the order of paths."""
    modules = sorted(analysis.modules.values(), key=lambda module: module.source.path)
    files: dict[str, str] = {}
    for module in modules:
        files |= _Module(module, program, analysis).files()
    return files


@final
class _Sites:
    """`__sites__` of one module, searched by label and place."""

    def __init__(self, sites: tuple[Site, ...]) -> None:
        self._sites = sites

    def find(self, label: str, span: Span) -> int:
        """The first site of the label inside the stretch."""
        for index, site in enumerate(self._sites):
            if site.label == label and _lies_in(site, span):
                return index
        raise InternalError(f"no site {label!r} at {span.file}:{span.line}", during="print")

    def is_at(self, label: str, span: Span) -> bool:
        """Whether a site of the label is exactly there."""
        return any(site.label == label and Span(*site[1:]) == span for site in self._sites)


@final
class _Module:
    """One module while it is printed."""

    def __init__(self, module: Module, program: Program, analysis: Analysis) -> None:
        self._module = module
        self._analysis = analysis
        self._functions = {
            function.ref: function
            for function in program.functions
            if function.ref.module == module.name
        }
        self._sites = _Sites(analysis.sites.get(module.name, ()))
        self._imported = dict(_imported_names(module))
        self._source = [line.encode() for line in _lines(module.source.text)]
        self._durable = "durable"
        while self._durable in module.source.text:
            self._durable += "_"
        self._places: dict[Place, int] = {}
        self._extra: dict[str, str] = {}
        """Import lines for what is called under no name of this module."""
        self._statements = {
            (node.lineno, node.col_offset, type(node)): node
            for node in ast.walk(module.tree)
            if isinstance(node, ast.stmt)
        }

    def files(self) -> dict[str, str]:
        """The module, with what the replaced parts need, and the map of its call sites."""
        path = self._module.source.path
        text = self._text()
        if text is None:
            return {path: self._module.source.text}
        sites = self._analysis.sites.get(self._module.name, ())
        return {path: text, f"{path.removesuffix('.py')}.map.json": map_text(sites, self._places)}

    def _text(self) -> str | None:
        source = self._module.source.text
        tree = self._module.tree
        instrumented = instrument.module(self._module, self._analysis)
        lines = _lines(source)
        parts: list[str] = []
        done = (1, 0)
        printed_nodes: dict[int, ast.stmt] = {}
        for position, (node, new) in enumerate(zip(tree.body, instrumented.body, strict=True)):
            replaced = self._printed(node, new)
            if replaced is None:
                continue
            printed_nodes[position] = replaced
            printed = self._unparsed(node, replaced)
            start = _start(node)
            parts += [_between(lines, done, start), printed]
            done = (
                node.end_lineno or node.lineno,
                _column(lines, node.end_lineno, node.end_col_offset),
            )
        if not printed_nodes:
            return None
        parts.append(_between(lines, done, (len(lines) + 1, 0)))
        text, head = self._with_head("".join(parts))
        read = ast.parse(text).body
        moved = [
            (new, read[at + (head[1] if at >= head[0] else 0)]) for at, new in printed_nodes.items()
        ]
        self._places = places_of(moved, is_mark)
        return text

    def _unparsed(self, node: ast.stmt, replaced: ast.stmt) -> str:
        """The text of a statement, with what did not change as its author wrote it."""
        text = _unparse(spelt(replaced, self._source))
        if not isinstance(node, ast.AsyncFunctionDef):
            return text
        written = head_of(node, self._source)
        empty = _unparse(spelt(with_body(node, [ast.Pass()]), self._source))
        printed = empty.removesuffix("    pass")
        if written is None or not text.startswith(printed):
            return text
        return f"{written}\n{text.removeprefix(printed)}"

    def _printed(self, node: ast.stmt, new: ast.stmt) -> ast.stmt | None:
        """The new form of a statement at the top; None if it stays."""
        info = self._analysis.function(node) if isinstance(node, ast.AsyncFunctionDef) else None
        if info is not None and info.ref in self._functions:
            assert isinstance(node, ast.AsyncFunctionDef)
            return self._function(self._functions[info.ref], node)
        return None if new is node else new

    def _function(self, function: Function, node: ast.AsyncFunctionDef) -> ast.AsyncFunctionDef:
        """The function with the body that the IR has."""
        nested = {
            inner.ref.qualname.rpartition(".")[2]: self._nested(inner)
            for inner in self._functions.values()
            if inner.ref.qualname.rpartition(".")[0] == function.ref.qualname
        }
        place = Printing(self._sites, self._name_of, nested, self._whole, self._durable)
        body = body_of(function, place)
        documentation = ast.get_docstring(node, clean=False)
        if documentation is not None:
            body = [ast.Expr(ast.Constant(documentation)), *body]
        return with_body(node, body)

    def _nested(self, function: Function) -> ast.AsyncFunctionDef:
        info = self._analysis.functions[function.ref]
        assert isinstance(info.node, ast.AsyncFunctionDef)
        return self._function(function, info.node)

    def _whole(self, node: ast.stmt) -> ast.stmt:
        """A statement the IR kept: the instrumented form of the one at its place."""
        mine = self._statements[node.lineno, node.col_offset, type(node)]
        return instrument.statements([mine], self._analysis)[0]

    def _name_of(self, ref: Ref, function: Function) -> ast.expr:
        """How `function` calls what `ref` names: as its module does, unless a local hides that."""
        name = str(ref.qualname) if ref.module == self._module.name else self._imported.get(ref)
        nested = ref in self._functions and "." in ref.qualname
        if nested:
            return ast.Name(ref.qualname.rpartition(".")[2], ast.Load())
        first = (name or "").partition(".")[0]
        if name is None or first in function.slots | function.captures:
            name = self._own_name(ref)
        return ast.parse(name, mode="eval").body

    def _own_name(self, ref: Ref) -> str:
        head, _, rest = ref.qualname.partition(".")
        name = f"__{ref.module.replace('.', '_')}_{head}__"
        if ref.module == self._module.name:
            self._extra[name] = f"{name} = {head}"
        else:
            self._extra[name] = f"from {ref.module} import {head} as {name}"
        return f"{name}.{rest}" if rest else name

    def _with_head(self, text: str) -> tuple[str, tuple[int, int]]:
        """The import of the operations goes before all code, the sites after it.

        Comes back with it: before which statement how many more stand now.
        """
        tree = ast.parse(text)
        first = next(
            (at for at, node in enumerate(tree.body) if not _stays_first(node, tree)),
            len(tree.body),
        )
        line = _start(tree.body[first])[0] if first < len(tree.body) else 1
        lines = _lines(text)
        if lines and not lines[-1].endswith("\n"):
            lines[-1] += "\n"
        imports = [f"from perdure.runtime import {_as('durable', self._durable)}\n"]
        if "__perdure__" in text:
            imports.append(f"{CALLS}\n")
        lines[line - 1 : line - 1] = imports
        return "".join([*lines, *self._tail()]), (first, len(imports))

    def _tail(self) -> Iterator[str]:
        yield "\n\n"
        for line in sorted(self._extra.values()):
            yield line + "\n"
        yield f"__sites__ = {self._durable}.placed(__file__)\n"


def _as(name: str, own: str) -> str:
    return name if name == own else f"{name} as {own}"


def _stays_first(node: ast.stmt, tree: ast.Module) -> bool:
    """The docstring, and imports from `__future__`."""
    match node:
        case ast.ImportFrom(module="__future__"):
            return True
        case ast.Expr(value=ast.Constant(value=str())):
            return node is tree.body[0]
        case _:
            return False


def _imported_names(module: Module) -> Iterator[tuple[Ref, str]]:
    """What the module's own imports bind, the first name of each thing."""
    seen: set[Ref] = set()
    for node in module.tree.body:
        if isinstance(node, ast.ImportFrom):
            origin = imported_module(module, node)
            for alias in node.names:
                ref = Ref(origin, alias.name)
                if alias.name != "*" and ref not in seen:
                    seen.add(ref)
                    yield ref, alias.asname or alias.name


def _lies_in(site: Site, span: Span) -> bool:
    start, end = (site.line, site.column), (site.end_line, site.end_column)
    return (span.line, span.column) <= start and end <= (span.end_line, span.end_column)


def _start(node: ast.stmt) -> tuple[int, int]:
    """Line and column where a statement at the top begins, its decorators included."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return (
        (min([node.lineno, *(each.lineno for each in decorators)]), 0)
        if decorators
        else (
            node.lineno,
            node.col_offset,
        )
    )


def _column(lines: list[str], line: int | None, offset: int | None) -> int:
    """The column in characters of an offset in bytes."""
    text = lines[(line or 1) - 1].encode("utf-8", "surrogatepass")
    return len(text[: offset or 0].decode("utf-8", "surrogatepass"))


def _lines(text: str) -> list[str]:
    """Lines as Python counts them, with their ends."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _between(lines: list[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    """The text from one place to another."""
    (first, column), (last, stop) = start, end
    if first == last:
        return lines[first - 1][column:stop]
    head = lines[first - 1][column:] if first <= len(lines) else ""
    tail = lines[last - 1][:stop] if last <= len(lines) else ""
    return head + "".join(lines[first : last - 1]) + tail


def _unparse(node: ast.stmt) -> str:
    """The text of a statement, its marks turned into comments."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.stmt) and not hasattr(inner, "lineno"):
            inner.lineno = 0  # of nodes made here; `unparse` looks for type comments by line
    out: list[str] = []
    pending = ""
    for line in ast.unparse(node).split("\n"):
        marked = _MARKED.match(line)
        if marked:
            pending = f"  # line {marked[2]}"
            continue
        if pending and not _takes_comment(line, pending):
            out.append(" " * (len(line) - len(line.lstrip())) + pending.lstrip())
            pending = ""
        out.append(line + pending)
        pending = ""
    return "\n".join(out)


def _takes_comment(line: str, comment: str) -> bool:
    """Not within a text of several lines, nor where the line would grow too long."""
    return len(line) + len(comment) <= LONGEST and '"""' not in line and "'''" not in line
