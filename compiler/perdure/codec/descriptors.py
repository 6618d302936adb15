"""Declared types as data: made of an annotation here, or of its source by the compiler.

`class` names a class by import path and its arguments (`builtins:list` of one), `tuple` is a tuple
of fixed items, `var` a type variable with what bounds it, `alias` a `type X = ...` inside its own
value. Fields of classes are not in it: they are looked up where a value is checked, so a class may
contain itself and need not be importable where the descriptor is made.
"""

import typing
from collections.abc import Mapping
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, NamedTuple, TypeAliasType, TypeVar

from perdure.codec.faults import CorruptValue
from perdure.codec.names import ClassResolver, find, name_of, resolve
from perdure.codec.text import Json

KINDS = frozenset({"any", "none", "class", "tuple", "union", "literal", "var", "alias"})


class Descriptor(NamedTuple):
    """One declared type: what `conform` checks a value against."""

    kind: str
    name: str = ""
    args: "tuple[Descriptor, ...]" = ()
    values: tuple[object, ...] = ()


ANY = Descriptor("any")
NONE = Descriptor("none")

_WRAPPERS: frozenset[object] = frozenset(
    {typing.Annotated, typing.Required, typing.NotRequired, typing.Final}
    | {getattr(typing, "ReadOnly", typing.Required)}  # of 3.13
)


def descriptor(annotation: object) -> Descriptor:
    """The descriptor of a run-time type, as `typing.get_type_hints` gives it."""
    return _describe(annotation, frozenset())


def _describe(annotation: object, inside: frozenset[str]) -> Descriptor:
    if annotation is None or annotation is NoneType:
        return NONE
    if isinstance(annotation, TypeAliasType):
        return _alias(annotation, (), inside)
    if isinstance(annotation, TypeVar):
        return _variable(annotation, inside)
    if isinstance(annotation, typing.NewType):
        return _describe(annotation.__supertype__, inside)
    origin: object = typing.get_origin(annotation)
    if origin is not None:
        return _generic(origin, typing.get_args(annotation), annotation, inside)
    if isinstance(annotation, type) and annotation is not object:
        return Descriptor("class", name_of(annotation))
    return ANY  # Any, object, a string nobody resolved, a special form without arguments


def _generic(
    origin: object, args: tuple[object, ...], whole: object, inside: frozenset[str]
) -> Descriptor:
    if origin is typing.Union or origin is UnionType:
        return union(tuple(_describe(arg, inside) for arg in args))
    if origin is typing.Literal:
        return Descriptor("literal", values=args)
    if origin in _WRAPPERS:
        return _describe(args[0], inside)
    if origin is typing.ClassVar:
        return ANY
    if isinstance(origin, TypeAliasType):
        return _alias(origin, args, inside)
    if origin is tuple:
        return _tuple(args, inside)
    if not isinstance(origin, type):
        return ANY
    name = name_of(origin)
    if name in {"collections.abc:Callable", "builtins:type"}:
        return Descriptor("class", name)
    return Descriptor("class", name, tuple(_describe(arg, inside) for arg in args))


def _tuple(args: tuple[object, ...], inside: frozenset[str]) -> Descriptor:
    if len(args) == 2 and args[1] is Ellipsis:
        return Descriptor("class", "builtins:tuple", (_describe(args[0], inside),))
    if any(typing.get_origin(arg) is typing.Unpack for arg in args):
        return Descriptor("class", "builtins:tuple")
    return Descriptor("tuple", args=tuple(_describe(arg, inside) for arg in args))


def _variable(variable: TypeVar, inside: frozenset[str]) -> Descriptor:
    constraints = variable.__constraints__
    if constraints:
        bound = union(tuple(_describe(arg, inside) for arg in constraints))
    else:
        bound = ANY if variable.__bound__ is None else _describe(variable.__bound__, inside)
    return Descriptor("var", variable.__name__, (bound,))


def _alias(alias: TypeAliasType, args: tuple[object, ...], inside: frozenset[str]) -> Descriptor:
    name = f"{alias.__module__}:{alias.__name__}"
    named = Descriptor("alias", name, tuple(_describe(arg, inside) for arg in args))
    if name in inside:
        return named
    value = _describe(alias.__value__, inside | {name})
    return named if _mentions(value, name) else _filled(value, alias, named.args)


def _mentions(declared: Descriptor, alias: str) -> bool:
    return declared.name == alias or any(_mentions(arg, alias) for arg in declared.args)


def _filled(value: Descriptor, alias: TypeAliasType, args: tuple[Descriptor, ...]) -> Descriptor:
    variables = [parameter.__name__ for parameter in alias.__type_params__]
    return substitute(value, dict(zip(variables, args, strict=False)))


@lru_cache(maxsize=256)
def expand(declared: Descriptor) -> Descriptor:
    """What a recursive `type X = ...` stands for, one level deep."""
    found = find(declared.name)
    if not isinstance(found, TypeAliasType):
        raise CorruptValue(f"`{declared.name}` is no type alias")
    value = _describe(found.__value__, frozenset({declared.name}))
    return _filled(value, found, declared.args)


def annotation(declared: Descriptor, classes: ClassResolver = resolve) -> object:
    """The run-time type of a descriptor, its classes imported."""
    # Any: types are subscripted here by types that only run time knows.
    args: Any = tuple(annotation(arg, classes) for arg in declared.args)
    make: Any
    match declared.kind:
        case "none":
            return None
        case "union":
            make = typing.Union
        case "literal":
            make, args = typing.Literal, declared.values
        case "tuple":
            make, args = typing.Tuple, args or ((),)  # noqa: UP006, takes any arguments alike
        case "alias":
            make = find(declared.name)
        case "class":
            make = classes(declared.name)
            args = (*args, ...) if declared.name == "builtins:tuple" and args else args
        case _:
            return typing.Any
    return make[args] if args else make


def union(members: tuple[Descriptor, ...]) -> Descriptor:
    """One of these, nested unions laid flat."""
    flat: dict[Descriptor, None] = {}
    for member in members:
        flat.update(dict.fromkeys(member.args if member.kind == "union" else (member,)))
    return next(iter(flat)) if len(flat) == 1 else Descriptor("union", args=tuple(flat))


def substitute(declared: Descriptor, known: Mapping[str, Descriptor]) -> Descriptor:
    """The descriptor with type variables replaced by what they stand for."""
    if not known:
        return declared
    if declared.kind == "var":
        return known.get(declared.name, declared)
    return declared._replace(args=tuple(substitute(arg, known) for arg in declared.args))


def spell(declared: Descriptor) -> str:
    """The type as a person writes it, for messages."""
    match declared.kind:
        case "any":
            return "any value"
        case "none":
            return "None"
        case "literal":
            return " | ".join(repr(value) for value in declared.values)
        case "union":
            return " | ".join(spell(arg) for arg in declared.args)
        case "var":
            return spell(declared.args[0])
        case "tuple":
            return f"tuple[{', '.join(spell(arg) for arg in declared.args) or '()'}]"
        case _:
            name = declared.name.partition(":")[2]
            args = ", ".join(spell(arg) for arg in declared.args)
            if name == "tuple" and args:
                args += ", ..."
            return f"{name}[{args}]" if args else name


def to_json(declared: Descriptor) -> Json:
    """A descriptor as JSON: `["class", "builtins:list", [["class", "app:Order"]]]`."""
    from perdure.codec.encode import encode

    args: list[Json] = [to_json(arg) for arg in declared.args]
    values: list[Json] = [encode(value) for value in declared.values]
    written: list[Json] = [declared.kind, declared.name, args, values]
    while len(written) > 1 and not written[-1]:
        written.pop()
    return written


def from_json(data: Json) -> Descriptor:
    """The descriptor that `to_json` was given."""
    from perdure.codec.decode import decode

    if not isinstance(data, list) or not 1 <= len(data) <= 4 or data[0] not in KINDS:
        raise CorruptValue("no descriptor was written here")
    name = data[1] if len(data) > 1 else ""
    args: Json = data[2] if len(data) > 2 else []
    values: Json = data[3] if len(data) > 3 else []
    if not isinstance(args, list) or not isinstance(values, list):
        raise CorruptValue("no descriptor was written here")
    literals = tuple(decode(value) for value in values)
    return Descriptor(str(data[0]), str(name), tuple(from_json(arg) for arg in args), literals)
