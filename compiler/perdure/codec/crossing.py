"""Exceptions at a border: the public side of `errors`."""

from perdure.codec.errors import root_number
from perdure.codec.faults import CorruptValue, UncodableError
from perdure.codec.functions import FunctionTable
from perdure.codec.heap import Decoder, Encoder
from perdure.codec.names import ClassResolver, resolve
from perdure.codec.tables import READERS, writer_of
from perdure.codec.text import Json


def encode_error(
    error: BaseException, *, ordered: bool = False, functions: FunctionTable | None = None
) -> dict[str, Json]:
    """`type` and `mro` as `module:qualname`, `message` as str(error), and what rebuilds it.

    An argument without a codec raises `UncodableError`; an attribute without one is left out.
    """
    encoder = Encoder(writer_of, ordered=ordered, functions=functions)
    try:
        node = encoder.write(error)
    except UncodableError as fault:
        fault.below("error")
        raise
    root = encoder.link(node)
    if not isinstance(node, dict) or not isinstance(root, dict):
        raise TypeError("an exception is written as an object")
    # One that its own parts refer to carries its number itself, so `type` stays at the top.
    return node if root is node else {**node, "n": root["n"]}


def decode_error(
    data: Json, *, classes: ClassResolver | None = None, functions: FunctionTable | None = None
) -> BaseException:
    """The exception again; of a class that cannot be imported, a stand-in of the same name."""
    if not isinstance(data, dict) or data.get("@") != "error":
        raise CorruptValue("no exception was written here")
    decoder = Decoder(data, READERS, classes=classes or resolve, functions=functions)
    error = READERS["error"](decoder, data, root_number(data))
    if not isinstance(error, BaseException):
        raise CorruptValue("no exception was written here")
    return error
