"""Which call of a printed module stands for which call site: a map from places to numbers.

A printed call carries the number of its site. When the text of the whole module is there, it is
parsed again, and the calls of both trees are gone through side by side.
"""

import ast
from collections.abc import Callable, Iterator, Sequence

from perdure.diagnostics import InternalError
from perdure.runtime.here import Place

__all__ = ["at_site", "places_of", "site_at"]

_SITE = "perdure_site"


def at_site(call: ast.Call, site: int) -> ast.Call:
    """The call, with the number of its site."""
    setattr(call, _SITE, site)
    return call


def site_at(call: ast.Call) -> int | None:
    """The number that a call carries."""
    number: int | None = getattr(call, _SITE, None)
    return number


def places_of(
    printed: Sequence[tuple[ast.stmt, ast.stmt]], is_mark: Callable[[ast.AST], bool]
) -> dict[Place, int]:
    """By place in the text; pairs of a printed statement and the same one read from the text."""
    found: dict[Place, int] = {}
    for statement, read in printed:
        mine, there = list(_calls(statement, is_mark)), list(_calls(read, is_mark))
        if len(mine) != len(there):
            raise InternalError("a printed module reads otherwise", during="print for azure")
        for call, seen in zip(mine, there, strict=True):
            site = site_at(call)
            if site is not None:
                end = seen.end_lineno or seen.lineno, seen.end_col_offset or 0
                found[seen.lineno, seen.col_offset, *end] = site
    return found


def _calls(node: ast.AST, is_mark: Callable[[ast.AST], bool]) -> Iterator[ast.Call]:
    if is_mark(node):
        return
    if isinstance(node, ast.Call):
        yield node
    for child in ast.iter_child_nodes(node):
        yield from _calls(child, is_mark)
