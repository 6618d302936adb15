"""Source text and positions in it.

Bytes come in; a `Source` goes out whose text has one kind of line end, and whose spans count
characters. This is the only module that knows that `ast` counts UTF-8 bytes.
"""

import ast
import sys
from collections.abc import Sequence
from typing import NamedTuple, final

__all__ = ["Source", "SourceError", "Span", "decode"]


class Span(NamedTuple):
    """A half-open stretch of a file: 1-based lines, 0-based columns, in characters."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int


type Node = (
    ast.stmt | ast.expr | ast.excepthandler | ast.arg | ast.keyword | ast.alias | ast.pattern
)


class SourceError(Exception):
    """Bytes that are no text: `problem` in a clause, and the line where it shows."""

    def __init__(self, problem: str, line: int) -> None:
        super().__init__(problem)
        self.problem = problem
        self.line = line


@final
class Source:
    """One file's text. `path` is how messages name it: relative to the project, with `/`."""

    __slots__ = ("_lines", "encoding", "path", "text")

    def __init__(self, path: str, text: str, encoding: str = "utf-8") -> None:
        self.path = path
        self.encoding = encoding
        self.text = _one_line_end(text.removeprefix("\ufeff"))
        self._lines: Sequence[str] | None = None

    @classmethod
    def from_bytes(cls, path: str, data: bytes) -> "Source":
        """Decode as Python does (PEP 263); `SourceError` if that cannot be done."""
        text, encoding = decode(data)
        return cls(path, text, encoding)

    @property
    def lines(self) -> Sequence[str]:
        """The lines as `ast` counts them (only `\\n` ends one), without their ends."""
        if self._lines is None:
            self._lines = self.text.split("\n")
        return self._lines

    def encoded(self) -> bytes:
        """The bytes to ship: declared encoding, `\\n` line ends, no byte order mark."""
        return self.text.encode(self.encoding)

    def span(self, node: Node) -> Span:
        """The span of an `ast` node of this file."""
        end_line = node.end_lineno if node.end_lineno is not None else node.lineno
        end_offset = node.end_col_offset if node.end_col_offset is not None else node.col_offset
        return self.span_of_bytes(node.lineno, node.col_offset, end_line, end_offset)

    def span_of_bytes(self, line: int, offset: int, end_line: int, end_offset: int) -> Span:
        """The span between two positions that count UTF-8 bytes, as `ast` does."""
        return Span(
            self.path,
            line,
            self._column(line, offset),
            end_line,
            self._column(end_line, end_offset),
        )

    def keyword_span(self, node: Node, keyword: str) -> Span:
        """The span of the word a node begins with (`yield`, `for`): the smallest wrong thing."""
        start = self.span(node)
        return start._replace(end_line=start.line, end_column=start.column + len(keyword))

    def word_before(self, node: Node, words: str) -> Span:
        """The span of words right before a node on its line; that of the node if they are not."""
        span = self.span(node)
        found = self._line(span.line).rfind(words, 0, span.column)
        if found < 0:
            return span
        return Span(self.path, span.line, found, span.line, found + len(words))

    def header_span(self, node: Node) -> Span:
        """The beginning of a definition, up to its name: `async def poll`."""
        start = self.span(node)
        text = self._line(start.line)
        name: str = getattr(node, "name", "")
        found = text.find(name, start.column) if name else -1
        end = found + len(name) if found >= 0 else len(text.rstrip())
        return start._replace(end_line=start.line, end_column=end)

    def line_span(self, line: int) -> Span:
        """The text of one whole line, without its indentation."""
        text = self._line(line)
        begin = len(text) - len(text.lstrip())
        return Span(self.path, line, begin, line, max(len(text.rstrip()), begin))

    def excerpt(self, span: Span) -> str:
        """The text a span covers."""
        if span.line == span.end_line:
            return self._line(span.line)[span.column : span.end_column]
        first = self._line(span.line)[span.column :]
        middle = self.lines[span.line : span.end_line - 1]
        return "\n".join([first, *middle, self._line(span.end_line)[: span.end_column]])

    def _line(self, line: int) -> str:
        return self.lines[line - 1] if 0 < line <= len(self.lines) else ""

    def _column(self, line: int, offset: int) -> int:
        text = self._line(line)
        if text.isascii():
            return offset
        return len(text.encode("utf-8", "surrogatepass")[:offset].decode("utf-8", "replace"))


def decode(data: bytes) -> tuple[str, str]:
    """The text of a Python file and its encoding, by its mark or its `coding:` comment."""
    encoding = _declared_encoding(data)
    try:
        return data.decode("utf-8-sig" if encoding == "utf-8" else encoding), encoding
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SourceError(f"byte {error.start} is not {encoding}", line) from error
    except (LookupError, ValueError) as error:
        raise SourceError(f"`{encoding}` is no text encoding", 1) from error


def _declared_encoding(data: bytes) -> str:
    head = data[:4096].split(b"\n", 2)[:2]
    if not any(b"coding" in line for line in head):
        return "utf-8"
    import io
    import tokenize

    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    except SyntaxError as error:
        raise SourceError(str(error.msg), 1) from error
    return sys.intern(encoding.removesuffix("-sig"))


def _one_line_end(text: str) -> str:
    if "\r" not in text:
        return text
    return text.replace("\r\n", "\n").replace("\r", "\n")
