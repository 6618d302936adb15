"""Live values to JSON."""

from collections.abc import Mapping

from perdure.codec.functions import FunctionTable
from perdure.codec.text import Json


def encode(
    value: object,
    *,
    ordered: bool = False,
    functions: FunctionTable | None = None,
    path: str = "value",
) -> Json:
    """JSON of a value; one heap: a second occurrence of an object is a reference to the first.

    `ordered` is for engines that do not document to keep the order of an object's keys.
    `path` opens the path in the text of an `UncodableError` ("result", "item").
    """
    raise NotImplementedError


def encode_slots(
    slots: Mapping[str, object], *, ordered: bool = False, functions: FunctionTable | None = None
) -> dict[str, Json]:
    """JSON of values that cross together: one heap for all of them, so sharing between survives."""
    raise NotImplementedError
