"""Live values to JSON: the public side of the encoder."""

from collections.abc import Mapping

from perdure.codec.containers import write_fields
from perdure.codec.faults import UncodableError
from perdure.codec.functions import FunctionTable
from perdure.codec.heap import Encoder
from perdure.codec.tables import writer_of
from perdure.codec.text import Json


def encode(
    value: object,
    *,
    ordered: bool = False,
    functions: FunctionTable | None = None,
    path: str = "value",
) -> Json:
    """JSON of a value; one heap: a second occurrence of an object is a reference to the first.

    `ordered` is for engines that do not document to keep the order of an object's keys: dicts of
    two and more keys are then written as pairs. `decode` reads both.
    `path` opens the path in the text of an `UncodableError` ("result", "item").
    """
    encoder = Encoder(writer_of, ordered=ordered, functions=functions)
    try:
        return encoder.link(encoder.write(value))
    except UncodableError as fault:
        fault.below(path)
        raise


def encode_slots(
    slots: Mapping[str, object],
    *,
    ordered: bool = False,
    functions: FunctionTable | None = None,
    live: bool = False,
) -> dict[str, Json]:
    """JSON of values that cross together: one heap for all of them, so sharing between survives.

    The names stay plain keys, so a slot is found by its name without decoding. `live`: they are
    the locals of a run that goes on elsewhere, operations that are not awaited yet among them.
    """
    encoder = Encoder(writer_of, ordered=ordered, functions=functions, live=live)
    try:
        written = write_fields(encoder, slots)
    except UncodableError as fault:
        fault.drop_dot()
        raise
    encoder.link(written)
    return written
