"""`isinstance` and `issubclass` for values whose type only run time knows.

The checkers give a narrowed container the items `Unknown`; here they are `object`, which they are.
"""

from collections import deque
from collections.abc import Mapping
from typing import Any, TypeGuard


def is_list(value: object) -> TypeGuard[list[object]]:
    """Whether it is a list."""
    return isinstance(value, list)


def is_dict(value: object) -> TypeGuard[dict[object, object]]:
    """Whether it is a dict."""
    return isinstance(value, dict)


def is_tuple(value: object) -> TypeGuard[tuple[object, ...]]:
    """Whether it is a tuple."""
    return isinstance(value, tuple)


def is_set(value: object) -> TypeGuard[set[object] | frozenset[object]]:
    """Whether it is a set, frozen or not."""
    return isinstance(value, (set, frozenset))


def is_deque(value: object) -> TypeGuard[deque[object]]:
    """Whether it is a deque."""
    return isinstance(value, deque)


def is_mapping(value: object) -> TypeGuard[Mapping[object, object]]:
    """Whether it is a mapping of any kind."""
    return isinstance(value, Mapping)


def extends(cls: type, base: type) -> bool:
    """`issubclass`, without narrowing the class."""
    return issubclass(cls, base)


# Any: unbound methods of a base, which the checkers know only for a known class.
_OBJECT: Any = object
_LIST: Any = list
_TUPLE: Any = tuple
_DICT: Any = dict


def blank(cls: type) -> object:
    """An object of the class, its constructor not run."""
    made: object = _OBJECT.__new__(cls)
    return made


def tuple_of(cls: type, items: list[object]) -> object:
    """A tuple of the class (a NamedTuple), its constructor not run."""
    made: object = _TUPLE.__new__(cls, items)
    return made


def kind_of(value: object) -> type:
    """`type(value)`, as a plain class."""
    return type(value)


def plain_list(value: object) -> list[object]:
    """The items a list holds, whatever its class says when it is iterated."""
    items: list[object] = _LIST.__getitem__(value, slice(None))
    return items


def plain_tuple(value: object) -> tuple[object, ...]:
    """The items a tuple holds, whatever its class says when it is iterated."""
    items: tuple[object, ...] = _TUPLE.__getitem__(value, slice(None))
    return items


def plain_set(value: set[object] | frozenset[object]) -> frozenset[object]:
    """The members a set holds."""
    return frozenset[object]().union(value)


def plain_items(value: object) -> list[tuple[object, object]]:
    """The entries a dict holds."""
    entries: list[tuple[object, object]] = list(_DICT.items(value))
    return entries
