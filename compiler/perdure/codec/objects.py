"""Objects of classes: dataclasses, pydantic models, enums, named tuples, subclasses of built-ins.

They are restored as they were, without running a constructor, `__post_init__` or a validator.
"""

from collections.abc import Iterable, Mapping
from enum import Enum, Flag
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

from perdure.codec.containers import (
    read_fields,
    read_pairs,
    write_fields,
    write_fixed,
    write_items,
    write_pairs,
)
from perdure.codec.containers import sorted_members as _sorted
from perdure.codec.descriptors import Descriptor, annotation, descriptor, from_json, to_json
from perdure.codec.faults import CorruptValue, UncodableError
from perdure.codec.heap import Decoder, Encoder, items_of, part, text_of
from perdure.codec.names import ClassResolver, class_name, known_name
from perdure.codec.narrow import (
    blank,
    is_dict,
    is_list,
    is_set,
    is_tuple,
    kind_of,
    plain_items,
    plain_list,
    plain_set,
    plain_tuple,
    tuple_of,
)
from perdure.codec.text import Json

type Node = dict[str, Json]

_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: made by a class statement, not by an extension


class Shape(NamedTuple):
    """What of an object holds its state."""

    name: str
    fields: tuple[str, ...]
    slots: tuple[str, ...]
    plain: bool  # all state is in __dict__


@lru_cache(maxsize=1024)
def shape_of(cls: type) -> Shape:
    """The state of a class's objects: declared fields, then slots; TypeError if it has no name."""
    declared: Iterable[str] = getattr(cls, "__dataclass_fields__", ())
    if not declared:
        declared = [field.name for field in getattr(cls, "__attrs_attrs__", ())]
    slots = tuple(_slots(cls))
    return Shape(known_name(cls), tuple(declared), slots, not slots)


def _slots(cls: type) -> Iterable[str]:
    for base in reversed(cls.__mro__):
        found: object = base.__dict__.get("__slots__", ())
        names = [found] if isinstance(found, str) else _names(found)
        for name in names:
            if name in {"__dict__", "__weakref__"}:
                continue
            hidden = name.startswith("__") and not name.endswith("__")
            yield f"_{base.__name__.lstrip('_')}{name}" if hidden else name


def _names(slots: object) -> list[str]:
    # A dict gives its keys; an iterator is used up by the time the class is there.
    if is_tuple(slots) or is_list(slots) or is_dict(slots):
        return [str(name) for name in slots]
    return []


def state_of(value: object, shape: Shape) -> Mapping[str, object]:
    """Attributes by name; slots without a value are left out."""
    if shape.plain:
        state: dict[str, object] = getattr(value, "__dict__", {})
        if "__orig_class__" in state:  # what `Box[int](...)` leaves behind
            return {name: item for name, item in state.items() if name != "__orig_class__"}
        return state
    state = {}
    for name in shape.slots:
        try:
            state[name] = object.__getattribute__(value, name)
        except AttributeError:
            continue
    state.update(getattr(value, "__dict__", {}))
    return state


def restore(value: object, state: Mapping[str, object]) -> None:
    """Set attributes past `__setattr__`, frozen or not."""
    own: dict[str, object] | None = getattr(value, "__dict__", None)
    hidden = _slot_names(kind_of(value))
    for name, item in state.items():
        if own is None or name in hidden:
            object.__setattr__(value, name, item)
        else:
            own[name] = item


@lru_cache(maxsize=1024)
def _slot_names(cls: type) -> frozenset[str]:
    return frozenset(_slots(cls))


def write_data(encoder: Encoder, value: object) -> Json:
    """`{"@": "data", "c": "app:Order", "v": {"id": 7}}`, a dataclass or attrs object.

    `o` lists the names when their order is not the declared one.
    """
    ref = encoder.seen(value)
    if ref is not None:
        return ref
    shape = shape_of(kind_of(value))
    node: Node = {"@": "data", "c": shape.name}
    encoder.memo[id(value)] = node
    state = state_of(value, shape)
    node["v"] = write_fields(encoder, state)
    names = tuple(state)
    if names != shape.fields:
        node["o"] = list(names)
    return node


def read_data(decoder: Decoder, node: Node, number: int) -> object:
    """An object of the class with these attributes."""
    cls = decoder.classes(text_of(node, "c"))
    made = blank(cls)
    decoder.heap[number] = made
    shape = shape_of(cls)
    state = read_fields(decoder, node, shape.fields)
    if shape.plain:
        made.__dict__.update(state)
    else:
        restore(made, state)
    return made


class _Model(Protocol):
    __dict__: dict[str, object]
    __pydantic_fields_set__: set[str]
    __pydantic_extra__: dict[str, object] | None
    __pydantic_private__: dict[str, object] | None


def write_model(encoder: Encoder, value: _Model) -> Json:
    """`{"@": "model", "c": "app:User", "v": {...}, "s": [names set], "x": extra, "p": private}`.

    `s` is left out when every field was set, `x` and `p` when the model has none.
    """
    ref = encoder.seen(value)
    if ref is not None:
        return ref
    name, arguments = model_name(kind_of(value))
    node: Node = {"@": "model", "c": name}
    if arguments:
        node["g"] = [to_json(argument) for argument in arguments]
    encoder.memo[id(value)] = node
    state = value.__dict__
    node["v"] = write_fields(encoder, state)
    if tuple(state) != model_fields(kind_of(value)):
        node["o"] = list(state)
    if value.__pydantic_fields_set__ != state.keys():
        node["s"] = [*sorted(value.__pydantic_fields_set__)]
    for key, part_of in (("x", value.__pydantic_extra__), ("p", value.__pydantic_private__)):
        if part_of is not None:
            written = write_fields(encoder, part_of)
            node[key] = [[name, item] for name, item in written.items()]
    return node


@lru_cache(maxsize=1024)
def model_name(cls: type) -> tuple[str, tuple[Descriptor, ...]]:
    """Name and type arguments of a model; pydantic makes a class of its own of `Page[int]`."""
    # Any: pydantic's own note about the class, a plain dict.
    generic: Any = getattr(cls, "__pydantic_generic_metadata__", None) or {}
    if generic.get("origin") is None:
        return known_name(cls), ()
    return known_name(generic["origin"]), tuple(descriptor(arg) for arg in generic["args"])


@lru_cache(maxsize=1024)
def _of_arguments(cls: type, args: tuple[Descriptor, ...], classes: ClassResolver) -> type:
    # Any: a model with type parameters, which its class is subscripted by.
    generic: Any = cls
    made: type = generic[tuple(annotation(arg, classes) for arg in args)]
    return made


@lru_cache(maxsize=1024)
def model_fields(cls: type) -> tuple[str, ...]:
    """The declared fields of a pydantic model."""
    return tuple(getattr(cls, "__pydantic_fields__", ()))


def read_model(decoder: Decoder, node: Node, number: int) -> object:
    """A model as it was, unvalidated."""
    cls = decoder.classes(text_of(node, "c"))
    if "g" in node:
        arguments = tuple(from_json(argument) for argument in items_of(node, "g"))
        cls = _of_arguments(cls, arguments, decoder.classes)
    made = blank(cls)
    decoder.heap[number] = made
    state: dict[str, object] = {}
    object.__setattr__(made, "__dict__", state)
    object.__setattr__(made, "__pydantic_extra__", _named(decoder, node, "x"))
    object.__setattr__(made, "__pydantic_private__", _named(decoder, node, "p"))
    state.update(read_fields(decoder, node, model_fields(cls)))
    given = {str(name) for name in items_of(node, "s")} if "s" in node else set(state)
    object.__setattr__(made, "__pydantic_fields_set__", given)
    return made


def _named(decoder: Decoder, node: Node, key: str) -> dict[str, object] | None:
    if key not in node:
        return None
    return {str(k): v for k, v in read_pairs(decoder, {"@": "model", "v": node[key]})}


def write_enum(encoder: Encoder, value: Enum) -> Json:
    """`{"@": "enum", "c": "app:Color", "v": "RED"}`; a combination of flags: its number in `i`."""
    cls = type(value)
    node: Node = {"@": "enum", "c": known_name(cls)}
    if value.name in cls.__members__:
        node["v"] = value.name
    elif isinstance(value, Flag):
        node["i"] = encoder.write(int(value.value))
    else:
        raise UncodableError(cls.__qualname__, "it is no named member of its enum")
    return node


def read_enum(decoder: Decoder, node: Node, number: int) -> object:
    """The one member of that name."""
    cls = decoder.classes(text_of(node, "c"))
    if not issubclass(cls, Enum):
        raise CorruptValue(f"`{text_of(node, 'c')}` is no enum")
    return cls(decoder.read(node["i"])) if "i" in node else cls.__members__[text_of(node)]


def write_named(encoder: Encoder, value: tuple[object, ...]) -> Json:
    """`{"@": "named", "c": "app:Point", "v": [1, 2]}`."""
    cls = type(value)
    return write_fixed(encoder, value, {"@": "named", "c": known_name(cls)}, plain_tuple(value))


def read_named(decoder: Decoder, node: Node, number: int) -> object:
    """The named tuple of these items."""
    cls = decoder.classes(text_of(node, "c"))
    return tuple_of(cls, [decoder.read(item) for item in items_of(node)])


BASES: tuple[type, ...] = (str, int, float, bytes, list, dict, tuple, set, frozenset)
"""Built-in types whose subclasses cross, as their payload and their attributes."""

_EXACT: dict[type, Any] = {  # Any: unbound methods that give the payload as the base type itself
    str: str.__str__,
    int: int.__int__,
    float: float.__float__,
    bytes: bytes.__bytes__,
}


def base_of(cls: type) -> type | None:
    """The built-in type that a Python class extends; None for other classes."""
    for base in cls.__mro__:
        if base in BASES:
            return base
        if not base.__flags__ & _HEAP_TYPE or base.__module__ == "collections":
            return None
    return None


def write_sub(encoder: Encoder, value: object) -> Json:
    """`{"@": "sub", "c": "app:Tags", "b": "list", "v": [...], "d": {attributes}}`."""
    ref = encoder.seen(value)
    if ref is not None:
        return ref
    shape = shape_of(kind_of(value))
    base = base_of(type(value)) or object
    node: Node = {"@": "sub", "c": shape.name, "b": base.__name__}
    if base in {list, dict, set}:
        encoder.memo[id(value)] = node
    node["v"] = _payload(encoder, value)
    attributes = write_fields(encoder, state_of(value, shape))
    if attributes:
        node["d"] = attributes
    return node


def _payload(encoder: Encoder, value: object) -> Json:
    # Past whatever the class overrides: an iteration of its own is not what it holds.
    if is_dict(value):
        return write_pairs(encoder, plain_items(value))
    if is_set(value):
        return write_items(encoder, _sorted(encoder, plain_set(value)), [])
    if is_list(value):
        return write_items(encoder, plain_list(value), [])
    if is_tuple(value):
        return write_items(encoder, plain_tuple(value), [])
    return encoder.write(_EXACT[base_of(type(value)) or object](value))


def read_sub(decoder: Decoder, node: Node, number: int) -> object:
    """The payload in an object of the class."""
    cls = decoder.classes(text_of(node, "c"))
    base = next((base for base in BASES if base.__name__ == node.get("b")), None)
    if base is None or not issubclass(cls, base):
        raise CorruptValue(f"`{text_of(node, 'c')}` extends no `{node.get('b')}`")
    # Any: base and class fit each other, which only run time knows.
    kind: Any = base
    if base in {list, dict, set}:
        made = kind.__new__(cls)
        decoder.heap[number] = made
        parts = list(read_pairs(decoder, node)) if base is dict else _items(decoder, node)
        (kind.extend if base is list else kind.update)(made, parts)
    elif base in {tuple, frozenset}:
        made = kind.__new__(cls, _items(decoder, node))
    else:
        made = kind.__new__(cls, decoder.read(part(node, "v")))
    if "d" in node:
        restore(made, read_fields(decoder, {"@": "sub", "v": node["d"]}))
    result: object = made
    return result


def _items(decoder: Decoder, node: Node) -> list[object]:
    return [decoder.read(item) for item in items_of(node)]


class Custom(Protocol):
    """A class with a codec of its own: the state is any value that crosses."""

    def __perdure_encode__(self) -> object: ...

    @classmethod
    def __perdure_decode__(cls, state: object) -> object: ...


def write_custom(encoder: Encoder, value: Custom) -> Json:
    """`{"@": "custom", "c": "app:Handle", "v": state}`."""
    ref = encoder.seen(value)
    if ref is not None:
        return ref
    node: Node = {"@": "custom", "c": class_name(type(value))}
    encoder.memo[id(value)] = node
    state = value.__perdure_encode__()
    encoder.kept.append(state)
    node["v"] = encoder.write(state)
    return node


def read_custom(decoder: Decoder, node: Node, number: int) -> object:
    """What the class makes of its state."""
    # Any: the class is known at run time only.
    cls: Any = decoder.classes(text_of(node, "c"))
    made: object = cls.__perdure_decode__(decoder.read(part(node, "v")))
    return made
