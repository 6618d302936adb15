"""Iteration that goes on after an operation: a cursor on the live container.

CPython's view of mutation holds. Comes in: what a `for` iterates over. Goes out: a `Cursor`.
Cursors are dataclasses of plain fields, so that the codec carries them in one heap with the
container they point into. A dict's iterator is CPython's own while the process lasts; `freeze`
turns its place into numbers before it crosses.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from gc import get_referents
from typing import Protocol, TypeGuard, cast, final, runtime_checkable

__all__ = ["Cursor", "cursor", "enumerated", "from_the_end", "zipped"]

type Advanced = tuple[bool, object]
type Positions = list[object] | tuple[object, ...] | str | bytes | range
_END: Advanced = (False, None)


@runtime_checkable
class Cursor(Protocol):
    """Where a loop stands."""

    def step(self) -> Advanced:
        """(True, next item), or (False, None) at the end and ever after."""
        ...

    def freeze(self) -> None:
        """Make all of it plain fields."""
        ...

    def thaw(self) -> None:
        """Take its place again, before any code can change what it runs over."""
        ...


def cursor(iterable: object) -> Cursor:
    """The cursor of an iterable."""
    if _is_positions(iterable):
        return Sequential(iterable, 0)
    if _is_mapping(iterable):
        return Mapped.of(iterable, "keys")
    match iterable:
        case Sequential() | Backwards() | Mapped() | Enumerated() | Zipped() | Counting():
            return iterable
        case _:
            return _counting(iterable) or _view(iterable)


_SEQUENCES: tuple[type, ...] = (list, tuple, str, bytes, range)


def _is_positions(value: object) -> TypeGuard[Positions]:
    """Whether it is iterated by index, as the builtin types are."""
    return any(isinstance(value, kind) and _iterates_as(value, kind) for kind in _SEQUENCES)


def _is_mapping(value: object) -> TypeGuard[dict[object, object]]:
    return _iterates_as(value, dict) and isinstance(value, dict)


def _iterates_as(value: object, kind: type) -> bool:
    """Whether a subclass, if it is one, left the iteration alone."""
    # Whatever it is: no other type iterates with a function of this one.
    iterates: object = getattr(type(value), "__iter__", None)
    return iterates is vars(kind)["__iter__"]


_VIEWS: dict[str, str] = {"dict_keys": "keys", "dict_values": "values", "dict_items": "items"}


def _view(iterable: object, *, backwards: bool = False) -> Cursor:
    kind = _VIEWS.get(type(iterable).__name__)
    for owner in get_referents(iterable) if kind is not None else ():
        if _is_mapping(owner) and kind is not None:
            return Mapped.of(owner, kind, backwards=backwards)
    name = type(iterable).__name__
    if not hasattr(type(iterable), "__iter__"):
        raise TypeError(f"'{name}' object is not iterable")
    raise TypeError(f"a loop with operations cannot iterate over '{name}': wrap it in list()")


@final
@dataclass
class Sequential:
    """By index: list, tuple, str, bytes, range. `index` is -1 once it has ended; it never begins
    again.
    """

    items: Positions
    index: int

    def step(self) -> Advanced:
        """The item at the index, if there is one now."""
        if 0 <= self.index < len(self.items):
            self.index += 1
            return True, self.items[self.index - 1]
        self.index = -1
        return _END

    def freeze(self) -> None:
        """It is plain."""

    def thaw(self) -> None:
        """It is plain."""


@final
@dataclass
class Backwards:
    """`reversed` of a list, tuple, str, bytes or range."""

    items: Positions
    index: int

    def step(self) -> Advanced:
        """The item at the index, which counts down; one that is gone ends it."""
        if 0 <= self.index < len(self.items):
            self.index -= 1
            return True, self.items[self.index + 1]
        self.index = -1
        return _END

    def freeze(self) -> None:
        """It is plain."""

    def thaw(self) -> None:
        """It is plain."""


@final
@dataclass
class Mapped:
    """A dict or one of its views. `size` is its size at the start; -1: it has ended.

    `left` counts the entries not visited yet, as of `freeze`; the iterator itself lives in `_live`,
    no field. `due` counts the items that CPython still expects: more are an error.
    """

    items: dict[object, object]
    kind: str
    backwards: bool
    size: int
    left: int
    due: int

    @classmethod
    def of(cls, items: dict[object, object], kind: str, *, backwards: bool = False) -> "Mapped":
        """At its start."""
        return cls(items, kind, backwards, len(items), len(items), len(items))

    def step(self) -> Advanced:
        """What CPython's own iterator gives, errors included."""
        if self.size < 0:
            return _END
        live = self._iterator()
        for key in live:
            if self.due == 0 and not self.backwards:
                raise RuntimeError("dictionary keys changed during iteration")
            self.due -= 1
            return True, self._item(key)
        self.size = -1
        return _END

    def freeze(self) -> None:
        """Count what is left and let the iterator go."""
        live: Iterator[object] | None = self.__dict__.pop("_live", None)
        if live is not None and len(self.items) == self.size:
            self.left = self._entries_from(live)

    def thaw(self) -> None:
        """CPython's iterator again, as far on; none if it could only say that the size changed."""
        if self.size >= 0 and len(self.items) == self.size:
            self._iterator()

    def _iterator(self) -> Iterator[object]:
        live: Iterator[object] | None = self.__dict__.get("_live")
        if live is None:
            if len(self.items) != self.size:
                raise RuntimeError("dictionary changed size during iteration")
            live = self.__dict__["_live"] = self._keys()
            for _ in range(self.size - self.left):
                next(live, None)
        return live

    def _item(self, key: object) -> object:
        match self.kind:
            case "keys":
                return key
            case "values":
                return self.items[key]
            case _:
                return key, self.items[key]

    def _keys(self) -> Iterator[object]:
        return reversed(self.items) if self.backwards else iter(self.items)

    def _entries_from(self, live: Iterator[object]) -> int:
        """How many entries an iterator has before it; it is used up for that."""
        try:
            following = next(live)
        except StopIteration:
            return 0
        except RuntimeError:
            # More than CPython expects; the next step says so, whichever entry it finds.
            return 1
        behind = iter(self.items) if self.backwards else reversed(self.items)
        return 1 + next(number for number, key in enumerate(behind) if key is following)


@final
@dataclass
class Enumerated:
    """`enumerate`."""

    inner: Cursor
    count: object

    def step(self) -> Advanced:
        """A pair of number and item."""
        more, item = self.inner.step()
        if not more:
            return _END
        number = self.count
        if isinstance(number, int):
            self.count = number + 1
        return True, (number, item)

    def freeze(self) -> None:
        """Of what it enumerates."""
        self.inner.freeze()

    def thaw(self) -> None:
        """Of what it enumerates."""
        self.inner.thaw()


@final
@dataclass
class Zipped:
    """`zip`, strict or not."""

    inner: list[Cursor]
    strict: bool

    def step(self) -> Advanced:
        """One item of each; the first that ends, ends it."""
        items: list[object] = []
        for number, one in enumerate(self.inner):
            more, item = one.step()
            if more:
                items.append(item)
            else:
                return self._ended(number)
        return (True, tuple(items)) if self.inner else _END

    def _ended(self, number: int) -> Advanced:
        if self.strict and number > 0:
            raise ValueError(f"zip() argument {number + 1} is shorter than {_before(number)}")
        if self.strict:
            for later, one in enumerate(self.inner[1:], 1):
                if one.step()[0]:
                    raise ValueError(f"zip() argument {later + 1} is longer than {_before(later)}")
        return _END

    def freeze(self) -> None:
        """Of all it runs over."""
        for one in self.inner:
            one.freeze()

    def thaw(self) -> None:
        """Of all it runs over."""
        for one in self.inner:
            one.thaw()


def _before(number: int) -> str:
    return "argument 1" if number == 1 else f"arguments 1-{number}"


@final
@dataclass
class Counting:
    """`itertools.count`."""

    value: int | float
    by: int | float

    def step(self) -> Advanced:
        """The next number; it never ends."""
        number = self.value
        self.value = number + self.by
        return True, number

    def freeze(self) -> None:
        """It is plain."""

    def thaw(self) -> None:
        """It is plain."""


def _counting(made: object) -> Counting | None:
    if type(made) is not itertools.count:
        return None
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        reduced = cast("tuple[object, tuple[int, ...]]", made.__reduce__())
    first, *rest = reduced[1]
    return Counting(first, rest[0] if rest else 1)


def enumerated(iterable: object, start: object = 0) -> Cursor:
    """`enumerate(iterable, start)`."""
    inner = cursor(iterable)
    enumerate((), start)  # type: ignore[arg-type]  # CPython's own check of `start`
    return Enumerated(inner, start)


def zipped(*iterables: object, strict: bool = False) -> Cursor:
    """`zip(*iterables, strict=strict)`."""
    return Zipped([_argument(number, one) for number, one in enumerate(iterables, 1)], strict)


def _argument(number: int, iterable: object) -> Cursor:
    try:
        return cursor(iterable)
    except TypeError as error:
        if "not iterable" in str(error):
            raise TypeError(f"zip argument #{number} must support iteration") from None
        raise


def from_the_end(iterable: object) -> Cursor:
    """`reversed(iterable)`."""
    if _is_positions(iterable):
        return Backwards(iterable, len(iterable) - 1)
    if _is_mapping(iterable):
        return Mapped.of(iterable, "keys", backwards=True)
    name = type(iterable).__name__
    if name in _VIEWS:
        return _view(iterable, backwards=True)
    if not hasattr(type(iterable), "__reversed__"):
        raise TypeError(f"'{name}' object is not reversible")
    raise TypeError(f"a loop with operations cannot go back over '{name}'")
