"""The declared fields of a class, looked up where a value of it is checked."""

import typing
from functools import lru_cache
from typing import Any, NamedTuple

from perdure.codec.descriptors import ANY, Descriptor, descriptor, substitute
from perdure.codec.narrow import extends


class Field(NamedTuple):
    """One field: `keyword` is what the constructor calls it, None for one that it does not take."""

    name: str
    declared: Descriptor
    keyword: str | None
    required: bool


@lru_cache(maxsize=1024)
def hints_of(cls: type) -> dict[str, Descriptor]:
    """Annotations of a class; those that do not resolve at run time are any value."""
    try:
        found = typing.get_type_hints(cls, include_extras=True)
    except Exception:  # a name imported for type checkers only, or worse
        found = {name: Any for base in cls.__mro__ for name in _annotated(base)}
    return {name: descriptor(hint) for name, hint in found.items()}


def _annotated(cls: type) -> list[str]:
    names: dict[str, object] = getattr(cls, "__annotations__", {})
    return list(names)


@lru_cache(maxsize=1024)
def fields_of(cls: type, args: tuple[Descriptor, ...] = ()) -> tuple[Field, ...]:
    """Fields of a dataclass, attrs class, named tuple or TypedDict, type variables filled in."""
    hints = hints_of(cls)
    parameters: tuple[object, ...] = getattr(cls, "__parameters__", ())
    names = [str(getattr(parameter, "__name__", "")) for parameter in parameters]
    known = dict(zip(names, args, strict=False))
    return tuple(
        field._replace(declared=substitute(hints.get(field.name, ANY), known))
        for field in _declared(cls, hints)
    )


def _declared(cls: type, hints: dict[str, Descriptor]) -> list[Field]:
    if hasattr(cls, "__dataclass_fields__"):
        return _of_dataclass(cls)
    if hasattr(cls, "__attrs_attrs__"):
        return _of_attrs(cls)
    if extends(cls, tuple):
        names: tuple[str, ...] = getattr(cls, "_fields", ())
        defaults: dict[str, object] = getattr(cls, "_field_defaults", {})
        return [Field(name, ANY, name, name not in defaults) for name in names]
    required: frozenset[str] = getattr(cls, "__required_keys__", frozenset())
    return [Field(name, ANY, name, name in required) for name in hints]


def _of_dataclass(cls: type) -> list[Field]:
    from dataclasses import MISSING, fields

    # Any: a class with __dataclass_fields__ is what `fields` takes.
    known: Any = cls
    found: list[Field] = []
    for field in fields(known):
        required = field.default is MISSING and field.default_factory is MISSING
        found.append(Field(field.name, ANY, field.name if field.init else None, required))
    return found


def _of_attrs(cls: type) -> list[Field]:
    import sys

    # Any: attrs is there if one of its classes is, and is no dependency.
    nothing: Any = sys.modules["attr"].NOTHING
    attributes: Any = getattr(cls, "__attrs_attrs__", ())
    return [
        Field(a.name, ANY, (a.alias or a.name) if a.init else None, a.default is nothing)
        for a in attributes
    ]


def is_typed_dict(cls: type) -> bool:
    """Whether the class is a TypedDict, whose values are plain dicts."""
    return extends(cls, dict) and hasattr(cls, "__total__")


def is_record(cls: type) -> bool:
    """Whether the class has declared fields held by its objects."""
    return hasattr(cls, "__dataclass_fields__") or hasattr(cls, "__attrs_attrs__")


def is_named_tuple(cls: type) -> bool:
    """Whether the class is a NamedTuple."""
    return extends(cls, tuple) and hasattr(cls, "_fields")


def is_model(cls: type) -> bool:
    """Whether the class is a pydantic model, without importing pydantic."""
    return any(f"{b.__module__}:{b.__qualname__}" == "pydantic.main:BaseModel" for b in cls.__mro__)
