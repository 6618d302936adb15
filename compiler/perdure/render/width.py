"""Text as a terminal shows it: how many cells it takes, and what to show for what has no glyph."""

__all__ = ["Cell", "cells", "visible"]

from collections.abc import Iterator
from typing import NamedTuple

TAB = "    "
_JOINER = "\u200d"
_EMOJI_STYLE = "\ufe0f"


class Cell(NamedTuple):
    """One character of a source line: what is printed for it, and how wide that is."""

    text: str
    width: int


def visible(text: str) -> str:
    """The text with control characters, direction marks and lone surrogates made visible."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def cells(text: str) -> Iterator[Cell]:
    """Character by character, what to print and its width; tabs become four spaces."""
    if text.isascii() and text.isprintable():
        for character in text:
            yield Cell(character, 1)
        return
    joined, wide = False, False
    for character in text:
        shown = TAB if character == "\t" else _shown(character)
        if shown != character:
            yield Cell(shown, len(shown))
            joined = wide = False
            continue
        width = _width(character)
        if wide and (joined or _is_modifier(character)):
            width = 0
        elif character == _EMOJI_STYLE and not wide:
            width, wide = 1, True
        elif width:
            wide = width == 2
        joined = character == _JOINER
        yield Cell(character, width)


def _is_modifier(character: str) -> bool:
    return "\U0001f3fb" <= character <= "\U0001f3ff"


def _width(character: str) -> int:
    if character < "\u0300":
        return 1
    import unicodedata

    if character in (_JOINER, _EMOJI_STYLE) or unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _shown(character: str) -> str:
    if character.isprintable() or character in (_JOINER, _EMOJI_STYLE):
        return character
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    return f"<U+{code:04X}>"
