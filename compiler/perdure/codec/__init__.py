"""The versioned value codec: what crosses a step, a child flow, an event or a branch, as JSON.

Comes in: a live Python value. Goes out: JSON that every engine returns unchanged, and from it an
equal value of the same types with the same sharing inside. The format page is
`docs/formats/codec.md`; `VERSION` belongs in every envelope and record that holds such JSON.
"""

from perdure.codec.conform import conform, conform_slots
from perdure.codec.crossing import decode_error, encode_error
from perdure.codec.decode import decode, decode_slots
from perdure.codec.descriptors import Descriptor, descriptor
from perdure.codec.encode import encode, encode_slots
from perdure.codec.faults import CorruptValue, InvalidValue, NewerVersion, UncodableError
from perdure.codec.from_json import conform_json
from perdure.codec.functions import FunctionTable
from perdure.codec.names import ClassResolver, class_name, resolve
from perdure.codec.tables import has_codec
from perdure.codec.text import VERSION, Json, check_version, digest, dumps, loads
from perdure.codec.transfer import copy

__all__ = [
    "VERSION",
    "ClassResolver",
    "CorruptValue",
    "Descriptor",
    "FunctionTable",
    "InvalidValue",
    "Json",
    "NewerVersion",
    "UncodableError",
    "check_version",
    "class_name",
    "conform",
    "conform_json",
    "conform_slots",
    "copy",
    "decode",
    "decode_error",
    "decode_slots",
    "descriptor",
    "digest",
    "dumps",
    "encode",
    "encode_error",
    "encode_slots",
    "has_codec",
    "loads",
    "resolve",
]
