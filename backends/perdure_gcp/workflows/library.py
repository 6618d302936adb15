"""The library's functions that do not block: helpers, lists, maps, numbers and JSON.

Each takes what `World` offers and its arguments in the order of its signature; an argument that is
left out is `None`. Pages: see signatures.py.
"""

import base64
import hashlib
import hmac
import random
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from perdure_gcp.workflows.library_text import TEXT
from perdure_gcp.workflows.library_time import format_time, parse_time
from perdure_gcp.workflows.operators import text_of
from perdure_gcp.workflows.problems import Doubts, failure
from perdure_gcp.workflows.signatures import PREDICATES
from perdure_gcp.workflows.values import (
    LARGEST,
    SMALLEST,
    Function,
    Value,
    from_json,
    is_number,
    to_json,
    type_name,
)

__all__ = ["LIBRARY", "World", "holds_for", "library_constant"]


class World(Protocol):
    """What functions may ask the execution for."""

    doubts: Doubts
    order: random.Random
    """For what no page gives an order."""

    def now(self) -> float:
        """Seconds since 1970."""
        ...

    def environment(self, name: str) -> str | None:
        """A variable of the environment."""
        ...

    def uuid(self) -> str:
        """A new UUID."""
        ...


type _Function = Callable[[World, list[Value]], Value]


def _double(world: World, arguments: list[Value]) -> Value:
    (value,) = arguments
    if isinstance(value, float):
        world.doubts.about("helper-type", "double() of a double")
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str):
        return _read_number(value, float, world)
    raise failure("TypeError", f"double() does not take {type_name(value)}")


def _int(world: World, arguments: list[Value]) -> Value:
    (value,) = arguments
    if isinstance(value, int) and not isinstance(value, bool):
        world.doubts.about("helper-type", "int() of an integer")
        return value
    if isinstance(value, float):
        if value < 0:
            world.doubts.about("conversion", f"int({value})")
        if not SMALLEST <= value <= LARGEST:
            world.doubts.about("conversion", f"int({value})")
            raise failure("ValueError", "the double is no integer of 64 bits")
        return int(value)
    if isinstance(value, str):
        return _read_number(value, int, world)
    raise failure("TypeError", f"int() does not take {type_name(value)}")


def _read_number(text: str, read: type[int] | type[float], world: World) -> Value:
    plain = text.removeprefix("-").replace(".", "", 1 if read is float else 0)
    if plain.isascii() and plain.isdigit() and not text.endswith(".") and "-." not in text:
        if text.startswith("."):
            world.doubts.about("conversion", f"the text {text!r}")
        number = read(text)
        if isinstance(number, int) and not SMALLEST <= number <= LARGEST:
            world.doubts.about("conversion", f"the text {text!r}")
            raise failure("ValueError", f"no number of 64 bits: {text!r}")
        return number
    if any(character.isdigit() for character in text) or text.strip().lower() in ("nan", "inf"):
        world.doubts.about("conversion", f"the text {text!r}")
    raise failure("ValueError", f"no number: {text!r}")


def _string(world: World, arguments: list[Value]) -> Value:
    (value,) = arguments
    if isinstance(value, str):
        world.doubts.about("helper-type", "string() of a string")
    return text_of(value, world.doubts)


def _keys(world: World, arguments: list[Value]) -> Value:
    (value,) = arguments
    if not isinstance(value, dict):
        raise failure("TypeError", f"keys() does not take {type_name(value)}")
    names: list[Value] = list(value)
    world.order.shuffle(names)
    return names


def _len(world: World, arguments: list[Value]) -> Value:
    (value,) = arguments
    if isinstance(value, str) and any(ord(character) > 0xFFFF for character in value):
        world.doubts.about("characters", repr(value))
    if isinstance(value, str | list | dict):
        return len(value)
    if isinstance(value, bytes):
        world.doubts.about("helper-type", "len() of bytes")
        return len(value)
    raise failure("TypeError", f"len() does not take {type_name(value)}")


def _default(_world: World, arguments: list[Value]) -> Value:
    value, instead = arguments
    return instead if value is None else value


def _if(_world: World, arguments: list[Value]) -> Value:
    condition, if_true, if_false = arguments
    if condition is None or condition is False:
        return if_false
    if condition is True:
        return if_true
    raise failure("TypeError", f"if() takes a boolean, not {type_name(condition)}")


def _get_type(_world: World, arguments: list[Value]) -> Value:
    return type_name(arguments[0])


def _bytes(value: Value, what: str) -> bytes:
    if isinstance(value, bytes):
        return value
    raise failure("TypeError", f"{what} takes bytes, not {type_name(value)}")


def _base64_decode(world: World, arguments: list[Value]) -> Value:
    data, padding = arguments
    if not isinstance(data, str):
        raise failure("TypeError", f"base64.decode takes a string, not {type_name(data)}")
    text = data if padding in (None, True) else data + "=" * (-len(data) % 4)
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise failure("ValueError", "this is no base64") from None


def _base64_encode(_world: World, arguments: list[Value]) -> Value:
    data, padding = arguments
    text = base64.b64encode(_bytes(data, "base64.encode")).decode()
    return text if padding in (None, True) else text.rstrip("=")


def _hash_name(algorithm: Value, world: World) -> str:
    if not isinstance(algorithm, str):
        raise failure("TypeError", "an algorithm is text")
    name = algorithm.replace("-", "").lower()
    if algorithm not in ("SHA256", "SHA512", "SHA1", "MD5", "SHA384"):
        world.doubts.about("hash", algorithm)
        raise failure("ValueError", f"there is no algorithm {algorithm}")
    return name


def _checksum(world: World, arguments: list[Value]) -> Value:
    data, algorithm = arguments
    content = _bytes(data, "hash.compute_checksum")
    return hashlib.new(_hash_name(algorithm, world), content).digest()


def _hmac(world: World, arguments: list[Value]) -> Value:
    key, data, algorithm = arguments
    secret, content = _bytes(key, "hash.compute_hmac"), _bytes(data, "hash.compute_hmac")
    return hmac.new(secret, content, _hash_name(algorithm, world)).digest()


def _json_decode(world: World, arguments: list[Value]) -> Value:
    (data,) = arguments
    if not isinstance(data, str | bytes):
        raise failure("TypeError", f"json.decode takes bytes or text, not {type_name(data)}")
    return from_json(data, world.doubts)


def _json_text(world: World, arguments: list[Value]) -> str:
    data, indent = arguments
    if indent is not None and indent is not False:
        world.doubts.about("json-text", "JSON with an indent")
    text = to_json(data, world.doubts, world.order, "  " if indent else None)
    if any(character in text for character in "<>&\u2028\u2029\x7f"):
        world.doubts.about("json-text", "characters that some writers escape")
    return text


def _json_encode(world: World, arguments: list[Value]) -> Value:
    return _json_text(world, arguments).encode()


def _list(value: Value, what: str) -> list[Value]:
    if isinstance(value, list):
        return value
    raise failure("TypeError", f"{what} takes a list, not {type_name(value)}")


def _map(value: Value, what: str) -> dict[str, Value]:
    if isinstance(value, dict):
        return value
    raise failure("TypeError", f"{what} takes a map, not {type_name(value)}")


def _concat(_world: World, arguments: list[Value]) -> Value:
    return [*_list(arguments[0], "list.concat"), arguments[1]]


def _prepend(_world: World, arguments: list[Value]) -> Value:
    return [arguments[1], *_list(arguments[0], "list.prepend")]


def _map_delete(world: World, arguments: list[Value]) -> Value:
    content, key = _map(arguments[0], "map.delete"), arguments[1]
    if not isinstance(key, str):
        world.doubts.about("helper-type", f"map.delete of a key that is {type_name(key)}")
        raise failure("TypeError", f"map.delete takes text as a key, not {type_name(key)}")
    if key not in content:
        world.doubts.about("helper-type", "map.delete of a key that is not there")
    return {name: value for name, value in content.items() if name != key}


def _map_get(world: World, arguments: list[Value]) -> Value:
    """The value at a key or a path of keys; null wherever something is missing."""
    value, keys = arguments
    path = keys if isinstance(keys, list) else [keys]
    for key in path:
        if isinstance(value, dict) and isinstance(key, str):
            value = value.get(key)
            continue
        if not isinstance(key, str):
            world.doubts.about("helper-type", f"map.get with a key that is {type_name(key)}")
        elif value is not None:
            world.doubts.about("helper-type", f"map.get of {type_name(value)}")
        return None
    return value


def _merge(_world: World, arguments: list[Value]) -> Value:
    first, second = arguments
    return {**_map(first, "map.merge"), **_map(second, "map.merge")}


def _merge_nested(_world: World, arguments: list[Value]) -> Value:
    first, second = arguments
    return _nested(_map(first, "map.merge_nested"), _map(second, "map.merge_nested"))


def _nested(first: dict[str, Value], second: dict[str, Value]) -> dict[str, Value]:
    merged = dict(first)
    for key, value in second.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            merged[key] = _nested(old, value)
        else:
            merged[key] = value
    return merged


def _number(value: Value, what: str) -> int | float:
    if isinstance(value, int | float) and is_number(value):
        return value
    raise failure("TypeError", f"{what} takes a number, not {type_name(value)}")


def _abs(world: World, arguments: list[Value]) -> Value:
    value = abs(_number(arguments[0], "math.abs"))
    if value > LARGEST:
        world.doubts.about("overflow", "math.abs")
    return value


def _math_floor(world: World, arguments: list[Value]) -> Value:
    value = _number(arguments[0], "math.floor")
    if not SMALLEST <= value <= LARGEST:
        world.doubts.about("conversion", f"math.floor({value})")
        raise failure("ValueError", "the double is no integer of 64 bits")
    return int(value // 1)


def _largest(world: World, arguments: list[Value]) -> Value:
    return _chosen(world, arguments, "math.max", largest=True)


def _least(world: World, arguments: list[Value]) -> Value:
    return _chosen(world, arguments, "math.min", largest=False)


def _chosen(world: World, arguments: list[Value], what: str, *, largest: bool) -> Value:
    first, second = _number(arguments[0], what), _number(arguments[1], what)
    if type(first) is not type(second):
        world.doubts.about("helper-type", f"{what} of an integer and a double")
    return max(first, second) if largest else min(first, second)


def _get_env(world: World, arguments: list[Value]) -> Value:
    name, instead = arguments
    if not isinstance(name, str):
        raise failure("TypeError", "the name of a variable is text")
    value = world.environment(name)
    if value is None and instead is None:
        world.doubts.about("helper-type", "sys.get_env of a variable that is not there")
        return None
    return instead if value is None else value


def _now(world: World, _arguments: list[Value]) -> Value:
    return world.now()


def _uuid(world: World, _arguments: list[Value]) -> Value:
    return world.uuid()


def _on_text(function: Callable[[Doubts, list[Value]], Value]) -> _Function:
    return lambda world, arguments: function(world.doubts, arguments)


LIBRARY: Final[Mapping[str, _Function]] = {
    "double": _double,
    "int": _int,
    "string": _string,
    "keys": _keys,
    "len": _len,
    "default": _default,
    "if": _if,
    "get_type": _get_type,
    "base64.decode": _base64_decode,
    "base64.encode": _base64_encode,
    "hash.compute_checksum": _checksum,
    "hash.compute_hmac": _hmac,
    "json.decode": _json_decode,
    "json.encode": _json_encode,
    "json.encode_to_string": _json_text,
    "list.concat": _concat,
    "list.prepend": _prepend,
    "map.delete": _map_delete,
    "map.get": _map_get,
    "map.merge": _merge,
    "map.merge_nested": _merge_nested,
    "math.abs": _abs,
    "math.floor": _math_floor,
    "math.max": _largest,
    "math.min": _least,
    "sys.get_env": _get_env,
    "sys.now": _now,
    "time.format": _on_text(format_time),
    "time.parse": _on_text(parse_time),
    "uuid.generate": _uuid,
    **{name: _on_text(function) for name, function in TEXT.items()},
}

_BACKOFF: Final[dict[str, Value]] = {"initial_delay": 1, "max_delay": 60, "multiplier": 1.25}


def _policy(predicate: str) -> dict[str, Value]:
    return {"predicate": Function(predicate), "max_retries": 5, "backoff": _BACKOFF}


_CONSTANTS: Final[Mapping[str, Value]] = {
    "retry.default_backoff": _BACKOFF,
    "http.default_retry": _policy("http.default_retry_predicate"),
    "http.default_retry_non_idempotent": _policy("http.default_retry_predicate_non_idempotent"),
}

_IDEMPOTENT: Final = (
    (429, 502, 503, 504),
    ("ConnectionError", "ConnectionFailedError", "TimeoutError"),
)
_NON_IDEMPOTENT: Final = ((429, 503), ("ConnectionFailedError",))


def library_constant(name: str) -> Value:
    """A value of the library: a map, or a predicate.

    https://cloud.google.com/workflows/docs/reference/stdlib/http/default_retry
    """
    return Function(name) if name in PREDICATES else _CONSTANTS[name]


def holds_for(predicate: str, error: Value) -> bool:
    """What a predicate of the library says of an error."""
    if predicate in ("retry.always", "retry.never"):
        return predicate == "retry.always"
    idempotent = predicate == "http.default_retry_predicate"
    codes, names = _IDEMPOTENT if idempotent else _NON_IDEMPOTENT
    if not isinstance(error, dict):
        return False
    tags = error.get("tags")
    if isinstance(tags, list) and any(name in tags for name in names):
        return True
    return error.get("code") in codes
