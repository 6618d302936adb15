"""Room for recursion over syntax trees: a long sum, or a chain of `elif`, is as deep as it is
long."""

import sys
from collections.abc import Generator
from contextlib import contextmanager

__all__ = ["CHECKED", "PASSES", "room"]

CHECKED = 5_000
"""Frames while a program is checked: what needs more is refused as nested too deeply."""
PASSES = 30_000
"""Frames for the passes after it, which take more for each level; so they never run out."""


@contextmanager
def room(frames: int) -> Generator[None]:
    """Let Python code recurse that far; pure Python frames take no C stack."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, frames))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
