"""The text form: a headline, the line with a caret under the smallest wrong thing, and help.

error[PDR107]: a flow cannot contain `yield`
 --> flow.py:3:5
  |
2 | async def poll(job):
  | -------------- in this flow
3 |     yield job
  |     ^^^^^
  |
  = help: collect the values in a list and return it
"""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

from perdure.diagnostics import Diagnostic, Report
from perdure.render import Place, as_written
from perdure.render.width import Cell, cells, visible
from perdure.source import Span

__all__ = ["render_text"]

WINDOW = 120
"""Characters of a source line that are shown; longer lines are cut around what is marked."""


class _Mark(NamedTuple):
    span: Span
    sign: str
    label: str


class _Style(NamedTuple):
    """Escape sequences, all empty where the output is no terminal."""

    error: str = ""
    strong: str = ""
    gutter: str = ""
    off: str = ""


_PLAIN = _Style()
_COLOR = _Style("\x1b[1;31m", "\x1b[1m", "\x1b[1;34m", "\x1b[0m")


class _Sheet(NamedTuple):
    """What every line of one block shares."""

    report: Report
    place: Place
    style: _Style
    width: int
    """Of the largest line number."""

    def gutter(self, text: str) -> str:
        return f"{self.style.gutter}{text}{self.style.off}"

    @property
    def bar(self) -> str:
        return self.gutter(f"{' ' * self.width} |")


def render_text(report: Report, *, place: Place = as_written, color: bool = False) -> str:
    """Every diagnostic as a block, with an empty line after each."""
    style = _COLOR if color else _PLAIN
    blocks = (_block(found, _Sheet(report, place, style, 0)) for found in report.diagnostics)
    return "".join(f"{block}\n\n" for block in blocks)


def _block(found: Diagnostic, sheet: _Sheet) -> str:
    style = sheet.style
    head = f"{style.error}error[{found.code}]{style.off}"
    lines = [f"{head}{style.strong}: {visible(found.message)}{style.off}"]
    if found.span is not None:
        spans = [found.span, *(second.span for second in found.secondary)]
        sheet = sheet._replace(width=max(len(str(span.line)) for span in spans))
        lines += [*_places(found, found.span, sheet), sheet.bar]
    equals = sheet.gutter(f"{' ' * sheet.width} =")
    lines.append(f"{equals} help: {visible(found.help)}")
    return "\n".join(line.rstrip() for line in lines)


def _places(found: Diagnostic, span: Span, sheet: _Sheet) -> Iterator[str]:
    marks = [_Mark(span, "^", "")]
    marks += [_Mark(second.span, "-", second.label) for second in found.secondary]
    yield from _file("-->", [mark for mark in marks if mark.span.file == span.file], sheet)
    others = sorted((mark for mark in marks if mark.span.file != span.file), key=_file_of)
    for _, in_file in groupby(others, key=_file_of):
        yield from _file(":::", [*in_file], sheet)


def _file_of(mark: _Mark) -> str:
    return mark.span.file


def _file(arrow: str, marks: list[_Mark], sheet: _Sheet) -> Iterator[str]:
    first = marks[0].span
    where = f"{visible(sheet.place(first.file))}:{first.line}:{first.column + 1}"
    yield f"{sheet.gutter(' ' * sheet.width + arrow)} {where}"
    source = sheet.report.sources.get(first.file)
    if source is None:
        return
    yield sheet.bar
    before: int | None = None
    for line, on_line in groupby(sorted(marks, key=_line_of), key=_line_of):
        if before is not None and line > before + 1:
            yield sheet.gutter("...")
        before = line
        text = source.lines[line - 1] if line <= len(source.lines) else ""
        yield from _line(line, text, [*on_line], sheet)


def _line_of(mark: _Mark) -> int:
    return mark.span.line


def _line(line: int, text: str, marks: list[_Mark], sheet: _Sheet) -> Iterator[str]:
    begin, end = _window(text, marks)
    shown = [*cells(text[begin:end])]
    left, right = "…" if begin else "", "…" if end < len(text) else ""
    body = "".join(cell.text for cell in shown)
    yield f"{sheet.gutter(f'{line:>{sheet.width}} |')} {left}{body}{right}"
    for mark in sorted(marks, key=_column_of):
        indent = " " * (len(left) + _cells_wide(shown[: max(mark.span.column - begin, 0)]))
        length = _length(mark.span, text, begin, end, shown)
        color = sheet.style.error if mark.sign == "^" else sheet.style.gutter
        label = f" {visible(mark.label)}" if mark.label else ""
        yield f"{sheet.bar} {indent}{color}{mark.sign * length}{label}{sheet.style.off}"


def _column_of(mark: _Mark) -> int:
    return mark.span.column


def _window(text: str, marks: list[_Mark]) -> tuple[int, int]:
    if len(text) <= WINDOW:
        return 0, len(text)
    column = min(mark.span.column for mark in marks)
    begin = min(max(column - WINDOW // 3, 0), len(text) - WINDOW)
    return begin, begin + WINDOW


def _length(span: Span, text: str, begin: int, end: int, shown: list[Cell]) -> int:
    stop = min(span.end_column if span.end_line == span.line else len(text.rstrip()), end)
    return max(_cells_wide(shown[max(span.column - begin, 0) : max(stop - begin, 0)]), 1)


def _cells_wide(shown: Iterable[Cell]) -> int:
    return sum(cell.width for cell in shown)
