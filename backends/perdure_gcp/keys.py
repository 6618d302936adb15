"""Texts as they stand in expressions: what workflow and sites must spell alike."""

import hashlib
from typing import Final

__all__ = ["YEAR", "key"]

YEAR: Final = 31_536_000
"""Seconds that an execution lasts at most: the limit `execution_seconds`."""


def key(text: str) -> str:
    """A text as it stands in an expression: itself where that is short and plain, else a digest.

    An expression has at most 400 characters; sites and workflow agree on this form.
    """
    if len(text) <= 80 and text.isascii() and text.isprintable() and not {'"', "\\"} & set(text):
        return text
    return f"~{hashlib.sha256(text.encode()).hexdigest()[:16]}"
