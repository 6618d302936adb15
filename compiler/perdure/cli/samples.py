"""Values that fit a declared type: what people are shown to start from.

Classes are looked up by name: to be called while the program's modules are imported.
"""

import json
from collections.abc import Mapping
from enum import Enum
from shlex import quote
from typing import Final

from perdure.codec.descriptors import ANY, Descriptor, descriptor, expand
from perdure.codec.fields import fields_of, is_model, is_named_tuple, is_record, is_typed_dict
from perdure.codec.from_json import conform_json
from perdure.codec.names import resolve
from perdure.codec.narrow import extends

__all__ = ["example", "fields_by_name", "fits", "pair", "sample", "shell"]

_DEPTH: Final = 6
_KNOWN: Final[Mapping[str, object]] = {
    "builtins:bool": True,
    "builtins:int": 1,
    "builtins:float": 1.5,
    "builtins:str": "text",
    "builtins:bytes": "dGV4dA==",
    "builtins:bytearray": "dGV4dA==",
    "datetime:datetime": "2026-01-31T12:00:00+00:00",
    "datetime:date": "2026-01-31",
    "datetime:time": "12:00:00",
    "datetime:timedelta": "90s",
    "decimal:Decimal": "1.50",
    "fractions:Fraction": "1/2",
    "uuid:UUID": "00000000-0000-4000-8000-000000000000",
    "zoneinfo:ZoneInfo": "UTC",
    "pathlib:Path": "file.txt",
    "pathlib:PurePath": "file.txt",
    "ipaddress:IPv4Address": "192.0.2.1",
}
_ARRAYS: Final = frozenset(
    {"builtins:list", "builtins:tuple", "builtins:set", "builtins:frozenset", "collections:deque"}
    | {f"collections.abc:{name}" for name in ("Sequence", "Collection", "Iterable", "Set")}
)


def sample(annotation: object) -> list[str]:
    """Arguments of `perdure send` for an event of this type, as they are typed in a shell."""
    if annotation is None:
        return []
    declared = descriptor(annotation)
    value = example(declared)
    if not fits(value, declared):
        return ["--payload JSON"]
    fields = fields_by_name(declared)
    if not fields:
        return [f"--payload {shell(value)}"]
    return [pair(str(name), item, fields[str(name)]) for name, item in _items(value)]


def pair(name: str, value: object, declared: Descriptor) -> str:
    """`name=value` for a shell: bare text where that is what it means."""
    if isinstance(value, str) and not _is_json(value) and fits(value, declared):
        return f"{name}={quote(value)}"
    return f"{name}={shell(value)}"


def shell(value: object) -> str:
    """A value as JSON, quoted for a shell."""
    return quote(json.dumps(value, ensure_ascii=False))


def fits(value: object, declared: Descriptor) -> bool:
    """Whether plain JSON can be made a value of the type."""
    try:
        conform_json(value, declared)
    except Exception:  # InvalidValue, or what a constructor of its classes raises
        return False
    return True


def fields_by_name(declared: Descriptor) -> dict[str, Descriptor]:
    """The fields of a class that has some (of the first such in a union), else nothing."""
    return {name: field for name, (field, _) in _fields(declared).items()}


def _fields(declared: Descriptor) -> dict[str, tuple[Descriptor, bool]]:
    """Type, and whether it is required, by name."""
    if declared.kind == "union":
        for found in map(_fields, declared.args):
            if found:
                return found
        return {}
    if declared.kind == "alias":
        return _fields(expand(declared))
    if declared.kind != "class":
        return {}
    cls = resolve(declared.name)
    if is_model(cls):
        return _model_fields(cls)
    if not (is_record(cls) or is_named_tuple(cls) or is_typed_dict(cls)):
        return {}
    return {
        field.name: (field.declared, field.required)
        for field in fields_of(cls, declared.args)
        if field.keyword is not None
    }


def _model_fields(cls: type) -> dict[str, tuple[Descriptor, bool]]:
    """The fields of a pydantic model, as it describes them."""
    found: dict[str, tuple[Descriptor, bool]] = {}
    for name, info in _items(getattr(cls, "model_fields", {})):
        asked: object = getattr(info, "is_required", None)
        declared = descriptor(getattr(info, "annotation", None))
        found[str(name)] = (declared, bool(asked()) if callable(asked) else False)
    return found


def _items(table: object) -> list[tuple[object, object]]:
    return [*table.items()] if isinstance(table, Mapping) else []


def example(declared: Descriptor, depth: int = 0) -> object:
    """Plain JSON that fits, as far as that can be known."""
    match declared.kind:
        case "literal":
            return _plain(declared.values[0])
        case "union":
            tried = ((example(arg, depth), arg) for arg in declared.args if arg.kind != "none")
            return next((value for value, arg in tried if fits(value, arg)), None)
        case "var":
            return example(declared.args[0], depth)
        case "alias":
            return example(expand(declared), depth + 1) if depth < _DEPTH else None
        case "tuple":
            return [example(arg, depth + 1) for arg in declared.args]
        case "class":
            return _of_class(declared, depth)
        case "none":
            return None
        case _:
            return "text"


def _of_class(declared: Descriptor, depth: int) -> object:
    if declared.name in _KNOWN:
        return _KNOWN[declared.name]
    if depth >= _DEPTH:
        return None
    if declared.name in _ARRAYS:
        return [example(declared.args[0], depth + 1)] if declared.args else []
    cls = resolve(declared.name)
    if extends(cls, Enum):
        members: dict[str, Enum] = getattr(cls, "__members__", {})
        return next((_plain(member) for member in members.values()), None)
    if is_model(cls) or is_record(cls) or is_named_tuple(cls) or is_typed_dict(cls):
        required = [(name, of) for name, (of, needed) in _fields(declared).items() if needed]
        return {name: example(of, depth + 1) for name, of in required}
    if extends(cls, dict) or declared.name.endswith(("Mapping", "MutableMapping")):
        return _mapping(declared, depth)
    return None


def _mapping(declared: Descriptor, depth: int) -> object:
    key, item = declared.args if len(declared.args) == 2 else (ANY, ANY)
    name = _key(key, depth)
    return {name if isinstance(name, str) else json.dumps(name): example(item, depth + 1)}


def _key(declared: Descriptor, depth: int) -> object:
    if declared.kind == "class" and extends(resolve(declared.name), Enum):
        members: dict[str, Enum] = getattr(resolve(declared.name), "__members__", {})
        return next(iter(members), "")
    return example(declared, depth + 1)


def _plain(value: object) -> object:
    """A literal or the value of an enum's member; its name where that is no JSON."""
    plain = value.value if isinstance(value, Enum) else value
    if plain is None or isinstance(plain, (str, int, float)):
        return plain
    return value.name if isinstance(value, Enum) else None


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
