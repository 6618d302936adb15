"""Plain JSON from outside (flow input, events) to values of the declared types.

Constructors and validators of the declared classes run here: this is the one place where a value
is made, not restored. A value that already is of the declared type passes as in `conform`.
"""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, final

from perdure.codec.atoms import bytes_of
from perdure.codec.conform import (
    Checker,
    as_float,
    as_key,
    expect,
    is_instance,
    is_literal,
    pick,
    shown,
)
from perdure.codec.descriptors import ANY, Descriptor, expand, spell
from perdure.codec.faults import InvalidValue
from perdure.codec.fields import fields_of, is_model, is_named_tuple, is_record, is_typed_dict
from perdure.codec.names import ClassResolver, resolve
from perdure.codec.narrow import extends, is_dict, is_list, is_tuple, kind_of
from perdure.codec.written import Written

ARRAYS: Mapping[str, Callable[[list[object]], object]] = {
    "builtins:list": list,
    "builtins:tuple": tuple,
    "builtins:set": set,
    "builtins:frozenset": frozenset,
    "collections.abc:Sequence": list,
    "collections.abc:MutableSequence": list,
    "collections.abc:Collection": list,
    "collections.abc:Iterable": list,
    "collections.abc:Set": set,
    "collections.abc:MutableSet": set,
}
"""What a JSON array becomes."""

MAPPINGS = frozenset(
    {"builtins:dict", "collections.abc:Mapping", "collections.abc:MutableMapping"}
    | {"collections:defaultdict", "collections:OrderedDict", "collections:Counter"}
)

TEXTS = frozenset(
    {"decimal:Decimal", "uuid:UUID", "zoneinfo:ZoneInfo", "fractions:Fraction", "pathlib:Path"}
    | {"pathlib:PurePath", "pathlib:PosixPath", "pathlib:PurePosixPath"}
    | {"pathlib:WindowsPath", "pathlib:PureWindowsPath"}
    | {"ipaddress:IPv4Address", "ipaddress:IPv6Address"}
    | {"ipaddress:IPv4Network", "ipaddress:IPv6Network"}
)
"""Classes that JSON text is given to."""

MOMENTS = {
    "datetime:datetime": "an ISO 8601 date and time",
    "datetime:date": "an ISO 8601 date",
    "datetime:time": "an ISO 8601 time",
}


def conform_json(
    value: object,
    declared: Descriptor,
    path: str = "value",
    *,
    classes: ClassResolver | None = None,
) -> object:
    """Plain JSON from outside, converted to the declared type; `InvalidValue` names the field."""
    return _Converter(classes or resolve).convert(value, declared, path)


def _items(count: int) -> str:
    """`1 item`, `2 items`."""
    return f"{count} item{'s' if count != 1 else ''}"


@final
class _Converter:
    def __init__(self, classes: ClassResolver) -> None:
        self.classes = classes
        self.checker = Checker(classes)

    def convert(self, value: object, declared: Descriptor, path: str) -> object:
        match declared.kind:
            case "any" | "none":
                return self.checker.check(value, declared, path)
            case "literal":
                return expect(is_literal(value, declared), value, declared, path)
            case "union":
                return pick(self.convert, value, declared, path)
            case "var":
                return self.convert(value, declared.args[0], path)
            case "alias":
                return self.convert(value, expand(declared), path)
            case "tuple":
                return self._fixed(value, declared, path)
            case _:
                return self._class(value, declared, path)

    def _fixed(self, value: object, declared: Descriptor, path: str) -> object:
        if is_list(value) or (is_tuple(value) and kind_of(value) is tuple):
            items = list(value)
            if len(items) != len(declared.args):
                raise InvalidValue(path, spell(declared), _items(len(items)))
            pairs = enumerate(zip(items, declared.args, strict=True))
            return tuple([self.convert(v, arg, f"{path}[{i}]") for i, (v, arg) in pairs])
        return self.checker.check(value, declared, path)

    def _class(self, value: object, declared: Descriptor, path: str) -> object:
        name = declared.name
        if name == "builtins:float":
            return as_float(value, declared, path)
        if name == "builtins:int":
            fits = isinstance(value, int) and not isinstance(value, bool)
            return expect(fits, value, declared, path)
        if is_list(value) and (name in ARRAYS or name == "collections:deque"):
            return self._array(value, declared, path)
        if is_dict(value) and name in MAPPINGS:
            return self._mapping(value, declared, path)
        return self._object(value, declared, path)

    def _array(self, value: list[object], declared: Descriptor, path: str) -> object:
        arg = declared.args[0] if declared.args else ANY
        items = [self.convert(item, arg, f"{path}[{i}]") for i, item in enumerate(value)]
        if declared.name == "collections:deque":
            from collections import deque

            return deque(items)
        try:
            return ARRAYS[declared.name](items)
        except TypeError as error:
            raise InvalidValue(path, spell(declared), f"items that fit no set ({error})") from None

    def _mapping(self, value: dict[object, object], declared: Descriptor, path: str) -> object:
        args = declared.args
        keys, items = (args[0], args[-1]) if args else (ANY, ANY)
        if declared.name == "collections:Counter":
            items = Descriptor("class", "builtins:int")
        made: dict[object, object] = {}
        for key, item in value.items():
            spot = f"{path}[{key!r}]"
            new_key = self.convert(as_key(key, keys), keys, spot)
            made[new_key] = self.convert(item, items, spot)
        if not declared.name.startswith("collections:"):
            return made
        # Any: one of the three subclasses of dict, which all take a mapping.
        cls: Any = self.classes(declared.name)
        result: object = cls(None, made) if declared.name.endswith("defaultdict") else cls(made)
        return result

    def _object(self, value: object, declared: Descriptor, path: str) -> object:
        cls = self.classes(declared.name)
        if is_dict(value) and is_typed_dict(cls):
            return self._typed_dict(value, cls, declared, path)
        if not is_typed_dict(cls) and is_instance(value, cls):
            return self.checker.check(value, declared, path)
        if is_model(cls):
            return _model(value, cls, path)
        if is_dict(value) and (is_record(cls) or is_named_tuple(cls)):
            return self._record(value, cls, declared, path)
        if is_list(value) and is_named_tuple(cls):
            names = [field.name for field in fields_of(cls, declared.args)]
            expect(len(value) <= len(names), value, declared, path)
            return self._record(dict(zip(names, value, strict=False)), cls, declared, path)
        if extends(cls, Enum):
            return _member(value, cls, declared, path)
        return _scalar(value, cls, declared, path)

    def _typed_dict(
        self, value: dict[object, object], cls: type, declared: Descriptor, path: str
    ) -> object:
        made = dict(value)
        for field in fields_of(cls, declared.args):
            spot = f"{path}.{field.name}"
            if field.name in made:
                made[field.name] = self.convert(made[field.name], field.declared, spot)
            elif field.required:
                raise InvalidValue(spot, spell(field.declared), "nothing")
        return made

    def _record(
        self, value: Mapping[Any, object], cls: type, declared: Descriptor, path: str
    ) -> object:
        fields = {f.name: f for f in fields_of(cls, declared.args) if f.keyword is not None}
        for name in value:
            if name not in fields:
                raise InvalidValue(f"{path}.{name}", f"a field of {cls.__name__}", "another name")
        given: dict[str, object] = {}
        for field in fields.values():
            spot = f"{path}.{field.name}"
            if field.name in value:
                item = self.convert(value[field.name], field.declared, spot)
                given[field.keyword or field.name] = item
            elif field.required:
                raise InvalidValue(spot, spell(field.declared), "nothing")
        try:
            return cls(**given)
        except (ValueError, TypeError) as error:
            raise InvalidValue(path, spell(declared), f"values it refuses: {error}") from error


def _model(value: object, cls: type, path: str) -> object:
    # Any: pydantic is there if one of its models is, and is no dependency.
    model: Any = cls
    try:
        made: object = model.model_validate(_read(value))
    except ValueError as error:
        details: Any = error
        first: Any = details.errors(include_url=False)[0] if hasattr(error, "errors") else {}
        spot = "".join(
            f"[{part}]" if isinstance(part, int) else f".{part}" for part in first.get("loc", ())
        )
        reason = str(first.get("msg", error))
        got = shown(first.get("input", value))
        raise InvalidValue(path + spot, f"{cls.__name__} ({reason})", got) from None
    return made


def _read(value: object) -> object:
    """As `json` reads it: what is no class of ours is given plain floats."""
    if isinstance(value, Written):
        return float(value)
    if is_list(value):
        return [_read(item) for item in value]
    return {key: _read(item) for key, item in value.items()} if is_dict(value) else value


def _member(value: object, enum: type, declared: Descriptor, path: str) -> Enum:
    cls: type[Enum] = _as_enum(enum)
    for member in cls:
        known: object = member.value
        value = float(value) if isinstance(value, Written) else value
        if type(known) is type(value) and known == value:
            return member
    if isinstance(value, str) and value in cls.__members__:
        return cls.__members__[value]
    names = ", ".join(repr(member.value) for member in list(cls)[:8])
    raise InvalidValue(path, f"{spell(declared)} (one of {names})", shown(value))


def _as_enum(cls: type) -> type[Enum]:
    if not issubclass(cls, Enum):
        raise TypeError(f"`{cls.__name__}` is no enum")
    return cls


def _scalar(value: object, cls: type, declared: Descriptor, path: str) -> object:
    """Text or a number, as JSON writes a value of a type it does not have."""
    name = declared.name
    # Any: the class was looked up by name; each branch knows what it takes.
    make: Any = cls
    try:
        if isinstance(value, str) and name in MOMENTS:
            return make.fromisoformat(value)
        if isinstance(value, str) and name in TEXTS:
            return make(value)
        if name == "decimal:Decimal" and isinstance(value, (int, float)):
            if isinstance(value, bool):
                return _unfit(value, declared, path)
            return make(value.text if isinstance(value, Written) else repr(value))
        if isinstance(value, str) and name in {"builtins:bytes", "builtins:bytearray"}:
            return make(bytes_of(value))
        if name == "datetime:timedelta" and not isinstance(value, bool):
            return _duration(value, make, declared, path)
        if isinstance(value, str) and cls.__module__ == "pydantic.networks":
            return make(value)
    except (ValueError, ArithmeticError, LookupError):
        raise InvalidValue(path, MOMENTS.get(name, spell(declared)), shown(value)) from None
    return _unfit(value, declared, path)


def _duration(
    value: object, make: Any, declared: Descriptor, path: str
) -> object:  # Any: timedelta
    if isinstance(value, (int, float)):
        return make(seconds=value)
    if isinstance(value, str):
        from perdure.durations import seconds_of

        return make(seconds=seconds_of(value))
    return _unfit(value, declared, path)


def _unfit(value: object, declared: Descriptor, path: str) -> object:
    raise InvalidValue(path, spell(declared), shown(value))
