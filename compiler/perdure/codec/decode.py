"""JSON to live values: the public side of the decoder."""

from perdure.codec.faults import CorruptValue
from perdure.codec.functions import FunctionTable
from perdure.codec.heap import Decoder
from perdure.codec.names import ClassResolver, resolve
from perdure.codec.tables import READERS
from perdure.codec.text import Json


def decode(
    data: Json, *, classes: ClassResolver | None = None, functions: FunctionTable | None = None
) -> object:
    """The value that `encode` was given: equal, of the same types, with the same sharing."""
    return Decoder(data, READERS, classes=classes or resolve, functions=functions).read(data)


def decode_slots(
    data: Json, *, classes: ClassResolver | None = None, functions: FunctionTable | None = None
) -> dict[str, object]:
    """The slots that `encode_slots` was given, on one heap."""
    if not isinstance(data, dict):
        raise CorruptValue("slots are an object by names")
    decoder = Decoder(data, READERS, classes=classes or resolve, functions=functions)
    return {name: decoder.read(node) for name, node in data.items()}
