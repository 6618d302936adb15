"""Exceptions across a border: `{"type", "mro", "message", ...}` and back, no constructor run."""

from perdure.codec.names import ClassResolver
from perdure.codec.text import Json


def encode_error(error: BaseException, *, ordered: bool = False) -> dict[str, Json]:
    """`type` and `mro` as `module:qualname`, `message` as str(error), `value` as codec JSON.

    An argument without a codec raises `UncodableError`; an attribute without one is left out.
    """
    raise NotImplementedError


def decode_error(data: Json, *, classes: ClassResolver | None = None) -> BaseException:
    """The exception again; of a class that cannot be imported, a stand-in of the same name."""
    raise NotImplementedError
