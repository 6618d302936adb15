"""Classes and values that the codec's tests carry across."""

import enum
import functools
import json
import re
from collections import Counter, OrderedDict, defaultdict, deque
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from itertools import count
from pathlib import PurePosixPath
from types import SimpleNamespace
from typing import Generic, NamedTuple, NotRequired, TypedDict, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, PrivateAttr, SecretStr

from perdure.codec.narrow import is_dict

T = TypeVar("T")


@dataclass
class Order:
    id: int
    note: str = ""
    price: float = 0.5
    items: list[object] = field(default_factory=list[object])


@dataclass(frozen=True)
class Money:
    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class Slotted:
    a: int
    b: object = None


@dataclass
class Derived:
    base: int
    doubled: int = field(init=False)
    loaded: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self.doubled = self.base * 2
        self.loaded = True


@dataclass
class Fussy:
    """Refuses to be made: restoring it must not ask."""

    value: int

    def __post_init__(self) -> None:
        if self.value < 0:
            raise ValueError("negative")


@dataclass
class Box(Generic[T]):  # noqa: UP046, both spellings are met: the other is in test_conform
    content: T


@dataclass
class Node:
    name: str
    next: "Node | None" = None


class Point(NamedTuple):
    x: object
    y: object = 0


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Kind(enum.StrEnum):
    BUG = "bug"


class Rights(enum.Flag):
    READ = 1
    WRITE = 2


class Tags(list[object]):
    owner: str = ""


class Name(str):
    """A text with a class of its own."""

    __slots__ = ("source",)


class Count(int):
    pass


class Table(dict[object, object]):
    pass


class User(BaseModel):
    model_config = ConfigDict(extra="allow")
    name: str
    age: int = 3
    friends: list["User"] = []
    _seen: int = PrivateAttr(default=0)

    def look(self, times: int) -> None:
        self._seen = times


class Page[I](BaseModel):
    items: list[I]


class Vault(BaseModel):
    key: SecretStr


class Address(TypedDict):
    street: str
    zip: NotRequired[int]


class CardDeclined(Exception):  # noqa: N818, as people name them
    def __init__(self, order: int, *, reason: str) -> None:
        super().__init__(f"order {order}: {reason}")
        self.order = order
        self.reason = reason


class Handle:
    def __init__(self, run: str) -> None:
        self.run = run

    def __perdure_encode__(self) -> object:
        return {"run": self.run}

    @classmethod
    def __perdure_decode__(cls, state: object) -> "Handle":
        assert is_dict(state)
        return cls(str(state["run"]))


class FakeStep:
    def __init__(self, ref: str) -> None:
        self.__perdure_ref__ = ref


charge = FakeStep(f"{__name__}:charge")


def double(x: int) -> int:
    return 2 * x


def ordered_dict() -> OrderedDict[str, int]:
    made: OrderedDict[str, int] = OrderedDict(a=1, b=2)
    made.move_to_end("a")
    return made


def by_default() -> defaultdict[str, list[int]]:
    made: defaultdict[str, list[int]] = defaultdict(list)
    made["a"].append(1)
    return made


def derived() -> Derived:
    made = Derived(2)
    vars(made)["extra"] = "kept"
    return made


def model() -> User:
    made = User.model_validate({"name": "Ann", "friends": [{"name": "Bo", "age": 4}], "x": (1,)})
    made.look(7)
    return made


def tags() -> Tags:
    made = Tags([1, (2,)])
    made.owner = "me"
    return made


def shared() -> object:
    one: list[object] = [1]
    money = Money(Decimal(1), "EUR")
    order = Order(1, items=[one, one, money])
    return {"a": one, "b": (one, money), "order": order, "again": order, "money": money}


def itself() -> object:
    made: list[object] = [1]
    made.extend([made, {"up": made}, (made,)])
    return made


def ring() -> Node:
    made = Node("a", Node("b"))
    assert made.next is not None
    made.next.next = made
    return made


def declined() -> CardDeclined:
    made = CardDeclined(7, reason="no funds")
    made.add_note("try again")
    return made


PLAIN: dict[str, object] = {
    "none": None,
    "bools": [True, False],
    "text": "héllo 😀 \u0000 \u2028",
    "empty text": "",
    "ints": [0, -1, 2**53 - 1, -(2**53) + 1],
    "floats": [0.5, -1.25e-300, 0.1],
    "nested": {"a": [{"b": []}, {}], "": [[]]},
    "single": [["x"]],
}
"""Values that stand for themselves."""

TAGGED: dict[str, object] = {
    "whole float": 2.0,
    "negative zero": -0.0,
    "infinity": float("-inf"),
    "large float": 1e300,
    "big int": 2**53,
    "huge int": -(7**3000),
    "lone surrogate": "a\ud800\n\\é",
    "surrogate pair halves": "\ud83d\ude00",
    "surrogate key": {"\udfff": 1},
    "tuple": (1, (), ("x", [2])),
    "set": {"b", "a", "c"},
    "mixed set": {1, "1", (1, 2), None, frozenset({"q"})},
    "frozenset": frozenset({3, 1, 2}),
    "bytes": b"\x00\xff",
    "bytearray": bytearray(b"hi"),
    "decimal": Decimal("1.10"),
    "decimal special": [Decimal("-0"), Decimal("Infinity"), Decimal("1E+500")],
    "date": date(2026, 1, 31),
    "datetime": datetime(2026, 1, 31, 12, 0, 0, 5),
    "datetime utc": datetime(2026, 1, 31, tzinfo=UTC),
    "datetime zone": datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1),
    "datetime offset": datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=-3, seconds=7))),
    "datetime named offset": datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=1), "CET")),
    "time": time(1, 2, 3, 4, tzinfo=UTC, fold=1),
    "timedelta": timedelta(-1, 5, 6),
    "timezones": [UTC, timezone(timedelta(hours=1)), timezone(timedelta(0), "Z"), ZoneInfo("UTC")],
    "uuid": UUID(int=5),
    "enum": [Color.RED, Level.HIGH, Kind.BUG, Rights.READ],
    "flags": [Rights.READ | Rights.WRITE, Rights(0)],
    "enum keys": {Color.RED: 1, Kind.BUG: 2},
    "named tuple": Point(1, [2]),
    "deque": deque([1, 2], maxlen=5),
    "open deque": deque[int](),
    "defaultdict": by_default(),
    "counter": Counter("aab"),
    "odict": ordered_dict(),
    "range": [range(3), range(10, 0, -2), range(2**70)],
    "slice": slice(None, 5),
    "complex": complex(-0.0, 2),
    "ellipsis": ...,
    "int keys": {1: "a", 2: {"x": None}},
    "mixed keys": {1: "a", "1": "b", (1, 2): "c", None: "d", True and 1.5: "e"},
    "looks like a tag": {"@": "tuple", "v": [1]},
    "looks like a reference": [{"@": "ref", "n": 1}, {"@": None}],
    "dataclass": Order(7, "hi", 2.0, [(1,)]),
    "frozen dataclass": Money(Decimal("9.99"), "EUR"),
    "slotted dataclass": Slotted(1, Slotted(2)),
    "derived fields": derived(),
    "generic dataclass": Box[int](5),
    "model": model(),
    "generic model": [Page[int](items=[1]), Page[dict[str, User | None]](items=[{"a": None}])],
    "custom subclasses": [tags(), Count(5), Table({1: 2}), Name("n")],
    "types": [int, Order, type(None), Color],
    "functions": [
        double,
        len,
        str.upper,
        functools.partial(double, 3),
        functools.partial(max, key=len),
    ],
    "path": PurePosixPath("a/b"),
    "fraction": Fraction(1, 3),
    "namespace": SimpleNamespace(a=1, b=[2]),
    "pattern": re.compile("a+", re.IGNORECASE),
    "matches": [
        re.match("a(b)?", "abc"),
        re.search("(?P<n>b)|c", "abc"),
        *re.finditer("b|c", "abc"),
        re.compile(b"a+?").fullmatch(b"xaa", 1),
    ],
    "counters": [count(3), count(0.5, 0.25), count(-(2**60), -2)],
    "module": json,
    "shared": shared(),
    "itself": itself(),
    "ring": ring(),
    "exception": declined(),
    "exception group": ExceptionGroup("two", [ValueError("a", 1), FileNotFoundError(2, "no", "f")]),
    "custom": Handle("run-1"),
    "step": [charge, charge],
}
"""Values with a form of their own."""

_SHARED = Money(Decimal(1), "EUR")
EVERY_SET: set[object] = {
    "one",
    "two",
    "three",
    b"four",
    5,
    6.5,
    None,
    Color.RED,
    (1, "x"),
    frozenset({"p", "q"}),
    _SHARED,
    (1, _SHARED),
    (2, _SHARED),
    Point("a", _SHARED),
}
"""A set whose order every hash seed changes, with an object shared between its members."""
