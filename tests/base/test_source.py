"""Spans count characters, whatever a file is written in."""

import ast

import pytest

from perdure.source import Source, SourceError, Span

AWKWARD = (
    "x = 'é'; bad = 1",
    "x = '日本語'; bad = 1",
    "x = '👩‍👩‍👧'; bad = 1",
    "x = 'e\u0301\u0301'; bad = 1",
    "x = 'שלום'; bad = 1",
    "x = '𝔘𝔫𝔦'; bad = 1",
)


@pytest.mark.parametrize("text", AWKWARD)
def test_a_span_covers_exactly_its_node(text: str) -> None:
    source = Source("flow.py", text)
    node = ast.parse(text).body[1]
    assert source.excerpt(source.span(node)) == "bad = 1"
    assert source.span(node).column == text.index("bad")


def test_a_span_over_lines_counts_each_line_for_itself() -> None:
    text = "é = '''ü\nö''' + x\n"
    source = Source("flow.py", text)
    node = ast.parse(text).body[0]
    assert source.span(node) == Span("flow.py", 1, 0, 2, 8)
    assert source.excerpt(source.span(node)) == text.rstrip()


def test_only_what_ends_a_line_for_python_ends_a_line_here() -> None:
    text = "a = '\u2028'\x0c\nb = '\x85'\nc = 1\n"
    source = Source("flow.py", text)
    for node in ast.parse(text).body:
        assert source.excerpt(source.span(node)).startswith(("a", "b", "c"))
    assert source.span(ast.parse(text).body[2]).line == 3


@pytest.mark.parametrize("end", ["\r\n", "\r", "\n"])
def test_line_ends_make_no_difference(end: str) -> None:
    source = Source.from_bytes("flow.py", f"a = 1{end}b = '''x{end}y'''{end}".encode())
    assert source.text == "a = 1\nb = '''x\ny'''\n"
    assert source.encoded() == b"a = 1\nb = '''x\ny'''\n"


def test_the_declared_encoding_is_used_and_kept() -> None:
    data = "# coding: latin-1\nx = 'é'\n".encode("latin-1")
    source = Source.from_bytes("flow.py", data)
    assert source.lines[1] == "x = 'é'"
    assert source.encoded() == data


def test_a_byte_order_mark_is_no_text() -> None:
    assert Source.from_bytes("flow.py", b"\xef\xbb\xbfx = 1\n").text == "x = 1\n"


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"x = 1\ny = '\xe9'\n", 2),
        (b"# coding: no-such\n", 1),
        (b"# coding: hex\n61", 1),
        (b"\xef\xbb\xbf# coding: latin-1\n", 1),
        (b"\xff\xfea\x00b\x00", 1),
    ],
)
def test_bytes_that_are_no_text_are_named_with_their_line(data: bytes, line: int) -> None:
    with pytest.raises(SourceError) as caught:
        Source.from_bytes("flow.py", data)
    assert caught.value.line == line


def test_the_header_of_a_definition_ends_with_its_name() -> None:
    source = Source("flow.py", "@mark\nasync  def  poll(job):\n    pass\n")
    node = ast.parse(source.text).body[0]
    assert source.excerpt(source.header_span(node)) == "async  def  poll"


def test_a_keyword_is_the_smallest_wrong_thing() -> None:
    source = Source("flow.py", "def f():\n    ü = (yield 1)\n")
    found = next(node for node in ast.walk(ast.parse(source.text)) if isinstance(node, ast.Yield))
    assert source.excerpt(source.keyword_span(found, "yield")) == "yield"
