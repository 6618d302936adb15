"""Modules as sites import them: functions that flows call read the clock through the engine.

    before   def stamp() -> float:              after   def stamp() -> float:
                 return time.time()                         return __perdure__.time()

A machine target's sites hold the flows themselves, and import what these call from the user's
modules. Only functions, methods and default factories that read a clock or randomness or write
log records are changed there; all other text, and as far as possible every line number, stays.
"""

import ast
from collections.abc import Iterator
from itertools import accumulate
from typing import TYPE_CHECKING

from perdure.frontend import instrument, known
from perdure.frontend.analysis import CallKind
from perdure.frontend.depth import PASSES, room

if TYPE_CHECKING:
    from perdure.frontend.analysis import Analysis
    from perdure.modules import Module

__all__ = ["recorded_sources"]

_IMPORT = "import perdure.runtime.calls as __perdure__"


def recorded_sources(analysis: "Analysis") -> tuple[tuple[str, str], ...]:
    """(path, text) of the modules that differ from what the user wrote, by path."""
    if not _records(analysis):
        return ()
    with room(PASSES):
        found = [(m.source.path, _text(m, analysis)) for m in analysis.modules.values()]
    return tuple(sorted((path, text) for path, text in found if text is not None))


def _records(analysis: "Analysis") -> bool:
    """Whether anything that flows reach reads or logs at all."""
    kinds = {fact.kind for fact in analysis.calls.values()}
    return bool(kinds & {CallKind.READ, CallKind.LOG}) or any(
        isinstance(name, str) and (name in known.READS or name == "builtins.print")
        for name in analysis.names.values()
    )


def _text(module: "Module", analysis: "Analysis") -> str | None:
    """The module's text with the statements that change; None if none does."""
    data = module.source.text.encode("utf-8", "surrogatepass")
    starts = [0, *accumulate(len(line) for line in data.splitlines(keepends=True))]
    parts: list[bytes] = []
    done = 0
    for node, new in instrument.changed(module, analysis):
        first = min([node.lineno, *(one.lineno for one in _decorators(node))])
        begin = starts[first - 1] + node.col_offset
        last, column = node.end_lineno or node.lineno, node.end_col_offset or 0
        end, lines = starts[last - 1] + column, last - first
        text = ast.unparse(new).replace("\n", "\n" + " " * node.col_offset)
        parts += [data[done:begin], _padded(text, lines).encode("utf-8", "surrogatepass")]
        done = end
    if not parts:
        return None
    text = b"".join([*parts, data[done:]]).decode("utf-8", "surrogatepass")
    return _with_import(text, module.tree)


def _decorators(node: ast.stmt) -> list[ast.expr]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return node.decorator_list
    return []


def _padded(text: str, breaks: int) -> str:
    """As many lines as before, so that what follows keeps its numbers."""
    return text + "\n" * max(0, breaks - text.count("\n"))


def _with_import(text: str, tree: ast.Module) -> str:
    """The import goes on the line of a statement that is there, before all that could use it."""
    head = list(_head(tree))
    lines = text.splitlines(keepends=True)
    if head:
        line = (head[-1].end_lineno or 1) - 1
        body = lines[line].rstrip("\r\n")
        lines[line] = f"{body}; {_IMPORT}{lines[line][len(body) :]}"
    elif tree.body and isinstance(tree.body[0], ast.Import | ast.ImportFrom):
        line = tree.body[0].lineno - 1
        lines[line] = f"{_IMPORT}; {lines[line]}"
    else:
        lines.insert(0, f"{_IMPORT}\n")
    return "".join(lines)


def _head(tree: ast.Module) -> Iterator[ast.stmt]:
    """The docstring and the imports from `__future__`: nothing goes before them."""
    for node in tree.body:
        match node:
            case ast.Expr(value=ast.Constant(value=str())) if node is tree.body[0]:
                yield node
            case ast.ImportFrom(module="__future__"):
                yield node
            case _:
                return
