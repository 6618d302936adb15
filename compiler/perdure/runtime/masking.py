"""Text on its way into a log, a history or a progress line: without the secrets that were read.

The one place that every engine's records pass; a process that never imported `perdure.secrets`
has read none, and pays nothing.
"""

import sys

from perdure.codec.text import Json

__all__ = ["masked", "masked_text"]


def masked_text(text: str) -> str:
    """The text with `***` for every secret."""
    if "perdure.secrets" not in sys.modules:
        return text
    from perdure.secrets import redacted

    return redacted(text)


def masked(value: Json) -> Json:
    """An encoded value with `***` for every secret in its texts."""
    return value if "perdure.secrets" not in sys.modules else _masked(value)


def _masked(value: Json) -> Json:
    match value:
        case str():
            return masked_text(value)
        case list():
            return [_masked(item) for item in value]
        case dict():
            return {masked_text(name): _masked(item) for name, item in value.items()}
        case _:
            return value
