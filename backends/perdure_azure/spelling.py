"""Printed code as its author spelt it: `ast.unparse` has one way to write a text or a number.

A statement that is to be printed comes in, with the lines it was read from; a copy goes out in
which literals are the very text of the source: its quotes, its `10_000`. The head of a function,
which nothing here changes, is taken from the source as a whole.
"""

import ast
import copy
from collections.abc import Sequence
from typing import final

__all__ = ["head_of", "spelt", "with_body"]


def spelt(statement: ast.stmt, lines: Sequence[bytes]) -> ast.stmt:
    """A copy that is good for printing only: literals are names in it."""
    found: ast.stmt = _Speller(lines).visit(copy.deepcopy(statement))
    return found


def head_of(node: ast.AsyncFunctionDef, lines: Sequence[bytes]) -> str | None:
    """Decorators, name, parameters, `:`; None where the body begins in the same line."""
    first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
    last = node.body[0].lineno
    head = list(lines[first - 1 : last - 1])
    while head and not head[-1].split(b"#")[0].strip().endswith(b":"):
        head.pop()  # comments and empty lines before the body
    text = b"".join(head).decode().rstrip()
    try:
        same = ast.parse(f"{text}\n    pass").body[0]
    except SyntaxError:
        return None
    return text if ast.dump(same) == ast.dump(with_body(node, [ast.Pass()])) else None


def with_body(node: ast.AsyncFunctionDef, body: list[ast.stmt]) -> ast.AsyncFunctionDef:
    """The function with another body."""
    return ast.AsyncFunctionDef(
        node.name,
        node.args,
        body,
        node.decorator_list,
        node.returns,
        type_params=node.type_params,
    )


@final
class _Speller(ast.NodeTransformer):
    def __init__(self, lines: Sequence[bytes]) -> None:
        self._lines = lines

    def visit_Expr(self, node: ast.Expr) -> ast.Expr:  # found by this name
        """Texts that are statements are documentation, or marks of ours."""
        return node if isinstance(node.value, ast.Constant) else self._inside(node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.Attribute:
        """`(1).real` needs its parentheses."""
        return node if isinstance(node.value, ast.Constant) else self._inside(node)

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        """The text of the source, if it means the same."""
        return self._as_written(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.expr:
        """As a whole or not at all: quotes within depend on those around."""
        return self._as_written(node)

    def _inside[T: ast.AST](self, node: T) -> T:
        self.generic_visit(node)
        return node

    def _as_written(self, node: ast.Constant | ast.JoinedStr) -> ast.expr:
        line, end = getattr(node, "lineno", 0), getattr(node, "end_lineno", 0)
        value = node.value if isinstance(node, ast.Constant) else None
        if not line and isinstance(value, str) and '"' not in value and value in repr(value):
            return ast.Name(f'"{value}"', ast.Load())  # one of ours
        if not line or line != end or line > len(self._lines):
            return node
        text = self._lines[line - 1][node.col_offset : node.end_col_offset].decode(errors="replace")
        try:
            written = ast.parse(text, mode="eval").body
        except (SyntaxError, ValueError):
            return node
        same = ast.dump(written) == ast.dump(node)
        return ast.Name(text, ast.Load()) if same else node
