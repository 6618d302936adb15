"""A value as it looks on the other side of a border."""

from perdure.codec.decode import decode
from perdure.codec.encode import encode
from perdure.codec.functions import FunctionTable
from perdure.codec.names import ClassResolver
from perdure.codec.narrow import is_tuple, kind_of

_ATOMS = frozenset({str, int, float, bool, type(None), bytes, complex})


def copy(
    value: object,
    *,
    classes: ClassResolver | None = None,
    functions: FunctionTable | None = None,
    path: str = "value",
) -> object:
    """The same as `decode(encode(value))`; a value that nobody can change is its own copy."""
    if type(value) in _ATOMS or _is_flat(value):
        return value
    return decode(
        encode(value, functions=functions, path=path), classes=classes, functions=functions
    )


def _is_flat(value: object) -> bool:
    if not is_tuple(value) or kind_of(value) is not tuple:
        return False
    return all(type(item) in _ATOMS for item in value)
