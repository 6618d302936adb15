"""JSON to live values."""

from perdure.codec.functions import FunctionTable
from perdure.codec.names import ClassResolver
from perdure.codec.text import Json


def decode(
    data: Json, *, classes: ClassResolver | None = None, functions: FunctionTable | None = None
) -> object:
    """The value that `encode` was given: equal, of the same types, with the same sharing."""
    raise NotImplementedError


def decode_slots(
    data: Json, *, classes: ClassResolver | None = None, functions: FunctionTable | None = None
) -> dict[str, object]:
    """The slots that `encode_slots` was given, on one heap."""
    raise NotImplementedError
