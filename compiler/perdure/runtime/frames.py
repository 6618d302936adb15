"""Room for the recursion of flow code: the same on every engine.

An engine has frames of its own below the flow's, more or fewer of them. CPython's default of 1,000
frames for all would end a recursion of 980 on one engine and not on another, so every engine gives
its runs more than that: what works under CPython's default works everywhere.
"""

import sys

__all__ = ["FRAMES", "make_room"]

FRAMES = 10_000
"""The recursion limit of a process that runs flow code; frames of Python code take no C stack."""


def make_room() -> None:
    """Raise the limit of this process; a higher one stays."""
    if sys.getrecursionlimit() < FRAMES:
        sys.setrecursionlimit(FRAMES)
