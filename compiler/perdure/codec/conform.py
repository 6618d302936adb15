"""Python values against their declared types, at a border of the program itself.

Comes in: a value and a descriptor. Goes out: the same object, or a copy in which an int stands as
the declared float and a text key as the declared int key. Nothing else is converted, and nothing is
changed in place. What occurs twice in the value is converted once, so sharing survives.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, final

from perdure.codec.descriptors import Descriptor, expand, spell
from perdure.codec.faults import InvalidValue
from perdure.codec.fields import fields_of, is_named_tuple, is_record, is_typed_dict
from perdure.codec.names import ClassResolver, resolve
from perdure.codec.narrow import (
    blank,
    is_deque,
    is_list,
    is_mapping,
    is_set,
    is_tuple,
    kind_of,
    plain_tuple,
    tuple_of,
)
from perdure.codec.objects import restore, shape_of, state_of
from perdure.codec.written import Written

_COUNT = Descriptor("class", "builtins:int")

REMADE: Mapping[type, Callable[[list[object]], object]] = {
    list: list,
    tuple: tuple,
    set: set,
    frozenset: frozenset,
}
"""How a container is made again of converted items."""

EXACT: Mapping[str, type] = {
    "builtins:str": str,
    "builtins:int": int,
    "builtins:bool": bool,
    "builtins:float": float,
    "builtins:bytes": bytes,
    "builtins:dict": dict,
    "builtins:list": list,
}


def conform(
    value: object,
    declared: Descriptor,
    path: str = "value",
    *,
    classes: ClassResolver | None = None,
) -> object:
    """A Python value checked: int becomes a declared float, text keys declared int keys."""
    return Checker(classes or resolve).check(value, declared, path)


def conform_slots(
    values: Mapping[str, object],
    declared: Mapping[str, Descriptor],
    *,
    classes: ClassResolver | None = None,
) -> dict[str, object]:
    """Arguments by name, each checked against its declared type if it has one.

    They are one heap: what two of them share is converted once.
    """
    checker = Checker(classes or resolve)
    return {
        name: checker.check(value, declared[name], name) if name in declared else value
        for name, value in values.items()
    }


@final
class Checker:
    """One check of one value; `converted` keeps what was seen, by object and declared type."""

    def __init__(self, classes: ClassResolver) -> None:
        self.classes = classes
        self.converted: dict[tuple[int, Descriptor], object] = {}

    def check(self, value: object, declared: Descriptor, path: str) -> object:
        """The value, or its converted copy; `InvalidValue` names the field that does not fit."""
        if not declared.args and type(value) is EXACT.get(declared.name):
            return value
        match declared.kind:
            case "any":
                return value
            case "none":
                return expect(value is None, value, declared, path)
            case "literal":
                return expect(is_literal(value, declared), value, declared, path)
            case "union":
                return pick(self.check, value, declared, path)
            case "var":
                return self.check(value, declared.args[0], path)
            case "alias":
                return self.check(value, expand(declared), path)
            case "tuple":
                expect(isinstance(value, tuple), value, declared, path)
                return self._once(value, declared, path, self._fixed)
            case _:
                return self._class(value, declared, path)

    def _class(self, value: object, declared: Descriptor, path: str) -> object:
        if declared.name == "builtins:float":
            return as_float(value, declared, path)
        if declared.name == "builtins:complex":
            return expect(isinstance(value, (int, float, complex)), value, declared, path)
        cls = self.classes(declared.name)
        if is_typed_dict(cls):
            expect(isinstance(value, dict), value, declared, path)
            return self._once(value, declared, path, self._typed_dict)
        expect(is_instance(value, cls), value, declared, path)
        if is_record(cls):
            return self._once(value, declared, path, self._record)
        if is_named_tuple(cls):
            return self._named(value, declared, path)
        return self._once(value, declared, path, self._members) if declared.args else value

    def _once(
        self,
        value: object,
        declared: Descriptor,
        path: str,
        convert: Callable[[Any, Descriptor, str], object],  # Any: its type was checked before
    ) -> object:
        key = (id(value), declared)
        if key not in self.converted:
            self.converted[key] = value
            self.converted[key] = convert(value, declared, path)
        return self.converted[key]

    def _fixed(self, value: tuple[object, ...], declared: Descriptor, path: str) -> object:
        expect(len(value) == len(declared.args), value, declared, path)
        pairs = enumerate(zip(value, declared.args, strict=True))
        items = [self.check(item, arg, f"{path}[{index}]") for index, (item, arg) in pairs]
        return value if same(value, items) else tuple(items)

    def _members(self, value: object, declared: Descriptor, path: str) -> object:
        if is_mapping(value):
            return self._mapping(value, declared, path)
        before = items_of(value)
        if before is None or len(declared.args) != 1:
            return value
        arg = declared.args[0]
        after = [self.check(item, arg, f"{path}[{i}]") for i, item in enumerate(before)]
        if same(before, after):
            return value
        if is_deque(value):
            return deque(after, value.maxlen)
        make = REMADE.get(type(value))
        if make is None:
            raise InvalidValue(path, spell(declared), f"a {type(value).__name__} to convert")
        return make(after)

    def _mapping(
        self, value: Mapping[object, object], declared: Descriptor, path: str
    ) -> Mapping[object, object]:
        args = declared.args
        if declared.name == "collections:Counter":
            args = (*args, _COUNT)
        if len(args) != 2:
            return value
        key_type, item_type = args
        made: dict[object, object] = {}
        changed = False
        for key, item in value.items():
            spot = f"{path}[{key!r}]"
            new_key = self.check(as_key(key, key_type), key_type, spot)
            new_item = self.check(item, item_type, spot)
            changed = changed or new_key is not key or new_item is not item
            made[new_key] = new_item
        if not changed:
            return value
        return refilled(value, made)

    def _typed_dict(self, value: dict[object, object], declared: Descriptor, path: str) -> object:
        made = dict(value)
        for field in fields_of(self.classes(declared.name), declared.args):
            spot = f"{path}.{field.name}"
            if field.name in made:
                made[field.name] = self.check(made[field.name], field.declared, spot)
            elif field.required:
                raise InvalidValue(spot, spell(field.declared), "nothing")
        return value if same(value.values(), made.values()) else made

    def _record(self, value: object, declared: Descriptor, path: str) -> object:
        state = dict(state_of(value, shape_of(kind_of(value))))
        cls = kind_of(value)
        args = declared.args if cls is self.classes(declared.name) else ()
        changed = False
        for field in fields_of(cls, args):
            if field.name in state:
                before = state[field.name]
                after = self.check(before, field.declared, f"{path}.{field.name}")
                changed = changed or after is not before
                state[field.name] = after
        if not changed:
            return value
        made = blank(kind_of(value))
        restore(made, state)
        return made

    def _named(self, value: object, declared: Descriptor, path: str) -> object:
        known = plain_tuple(value) if is_tuple(value) else ()
        cls = kind_of(value)
        items = [
            self.check(item, field.declared, f"{path}.{field.name}")
            for item, field in zip(known, fields_of(cls, declared.args), strict=True)
        ]
        return value if same(known, items) else tuple_of(cls, items)


def refilled(value: Mapping[object, object], made: dict[object, object]) -> Mapping[object, object]:
    """A mapping like the given one, of the same class, with other entries."""
    if type(value) is dict:
        return made
    # Any: Counter, defaultdict and OrderedDict all copy themselves and take item assignment.
    known: Any = value
    copied: Any = known.copy()
    copied.clear()
    for key, item in made.items():
        copied[key] = item
    result: Mapping[object, object] = copied
    return result


def items_of(value: object) -> list[object] | None:
    """The items of a container that has no keys."""
    if is_list(value) or is_tuple(value) or is_set(value) or is_deque(value):
        return list(value)
    return None


def as_float(value: object, declared: Descriptor, path: str) -> object:
    """A float as it is, an int as the float of the same number."""
    if isinstance(value, Written):
        return float(value)
    if isinstance(value, float):
        return value
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidValue(path, spell(declared), shown(value))
    try:
        return float(value)
    except OverflowError:
        raise InvalidValue(path, "a float in range", "a larger int") from None


def as_key(key: object, declared: Descriptor) -> object:
    """A text key as the declared int, when it is how an int is written."""
    if declared.name == "builtins:int" and isinstance(key, str):
        digits = key.removeprefix("-")
        if digits.isascii() and digits.isdigit() and len(digits) < 4000 and str(int(key)) == key:
            return int(key)
    return key


def pick(
    check: Callable[[object, Descriptor, str], object],
    value: object,
    declared: Descriptor,
    path: str,
) -> object:
    """The first member of a union that takes the value as it is, else the first that converts."""
    converted: list[object] = []
    faults: list[InvalidValue] = []
    for member in declared.args:
        try:
            found = check(value, member, path)
        except InvalidValue as fault:
            if member.kind != "none":
                faults.append(fault)
            continue
        if found is value:
            return value
        converted.append(found)
    if converted:
        return converted[0]
    if len(faults) == 1 and faults[0].field_path != path:
        raise faults[0]
    raise InvalidValue(path, spell(declared), shown(value))


def is_literal(value: object, declared: Descriptor) -> bool:
    """Whether the value is one of the literals, True not being 1."""
    return any(type(value) is type(known) and value == known for known in declared.values)


def is_instance(value: object, cls: type) -> bool:
    """`isinstance`, and yes for protocols, which no run time can check."""
    if getattr(cls, "_is_protocol", False) and not cls.__module__.startswith("collections"):
        return True
    try:
        return isinstance(value, cls)
    except TypeError:
        return True


def expect(fits: bool, value: object, declared: Descriptor, path: str) -> object:
    """The value, if it fits."""
    if not fits:
        raise InvalidValue(path, spell(declared), shown(value))
    return value


def shown(value: object) -> str:
    """What a value is, for messages: short ones with their text."""
    if value is None:
        return "None"
    name = "float" if isinstance(value, Written) else type(value).__name__
    if type(value) in {str, int, float, bool, Written}:
        text = repr(value)
        return f"{name} {text if len(text) <= 40 else text[:37] + '...'}"
    return name


def same(before: Iterable[object], after: Iterable[object]) -> bool:
    """Whether two sequences of equal length hold the very same objects."""
    return all(one is other for one, other in zip(before, after, strict=True))
