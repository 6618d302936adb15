"""Declared types: what fits passes, JSON from outside becomes the declared values."""

import typing
from collections import Counter, abc, defaultdict, deque
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, NewType, Optional, Protocol, TypeVar
from uuid import UUID

import pytest
from pydantic import BaseModel, Field

from perdure.codec import InvalidValue, conform, conform_json, conform_slots, descriptor
from perdure.codec.descriptors import ANY, Descriptor, annotation, from_json, spell, to_json
from tests.codec.likeness import alike
from tests.codec.samples import (
    Address,
    Box,
    Color,
    Fussy,
    Kind,
    Level,
    Money,
    Node,
    Order,
    Point,
    Slotted,
    User,
)

type Tree = int | list[Tree]
type Pair[T] = tuple[T, T]
type Nest[T] = T | list[Nest[T]]
UserId = NewType("UserId", int)
T = TypeVar("T")


@dataclass
class Priced:
    price: float
    counts: dict[int, float] = field(default_factory=dict[int, float])


@dataclass
class Basket:
    lines: list[Priced]
    owner: User | None = None
    kind: Color = Color.RED
    at: datetime | None = None


@dataclass
class Sized[N: float]:
    size: N


class Spot(NamedTuple):
    x: float
    y: float = 0.0


WRONG = Priced(1.0)
vars(WRONG)["price"] = "x"


class Named(Protocol):
    name: str


class Limited(BaseModel):
    low: Annotated[int, Field(ge=0)]
    spots: list[Spot] = []


@pytest.mark.parametrize(
    ("declared", "value", "expected"),
    [
        (float, 1, 1.0),
        (Optional[float], 1, 1.0),  # noqa: UP045
        (float | None, None, None),
        (int | float, 1, 1),
        (list[float], [1, 0.5], [1.0, 0.5]),
        (tuple[float, ...], (1, 2), (1.0, 2.0)),
        (tuple[int, float], (1, 2), (1, 2.0)),
        (set[float], {1}, {1.0}),
        (frozenset[float], frozenset({1}), frozenset({1.0})),
        (deque[float], deque([1], 3), deque([1.0], 3)),
        (dict[int, str], {"1": "a", "-2": "b"}, {1: "a", -2: "b"}),
        (dict[str, float], {"1": 1}, {"1": 1.0}),
        (abc.Mapping[int, float], {"1": 1}, {1: 1.0}),
        (abc.Sequence[float], [1], [1.0]),
        (defaultdict[int, float], defaultdict(int, {"1": 1}), defaultdict(int, {1: 1.0})),
        (Counter[int], Counter({"1": 2}), Counter({1: 2})),
        (Priced, Priced(1, {"1": 2}), Priced(1.0, {1: 2.0})),  # type: ignore[dict-item]
        (Box[float], Box(1), Box(1.0)),
        (Spot, Spot(1), Spot(1.0)),
        (Pair[float], (1, 2), (1.0, 2.0)),
        (Nest[float], [1, [2]], [1.0, [2.0]]),
        (Sized, Sized(1), Sized(1.0)),
    ],
)
def test_an_int_becomes_a_float_and_a_text_key_an_int(
    declared: object, value: object, expected: object
) -> None:
    before = repr(value)
    assert alike(conform(value, descriptor(declared)), expected)
    assert repr(value) == before


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        (Any, object),
        (object, 5),
        (None, None),
        (int, True),
        (str, "x"),
        (Tree, [1, [2, [3]]]),
        (UserId, 5),
        (T, {"x": 1}),
        (Literal["a", 1], 1),
        (list[Order], [Order(1)]),
        (Color, Color.RED),
        (Kind, Kind.BUG),
        (Named, Order(1)),
        (abc.Callable[[int], int], len),
        (type[int], int),
        (dict[int, str], {1: "a"}),
        (dict[str | int, str], {"01": "a"}),
        (Address, {"street": "x", "zip": 1}),
        (Node, Node("a", Node("b"))),
        (Money, Money(Decimal(1), "EUR")),
        (User, User(name="x")),
        (abc.Iterable[int], (1, 2)),
        (complex, 1),
    ],
)
def test_what_fits_is_the_same_object(declared: object, value: object) -> None:
    assert conform(value, descriptor(declared)) is value


def test_sharing_survives_conversion_between_arguments_too() -> None:
    one: list[object] = [1]
    floats = descriptor(list[float])
    back: Any = conform_slots({"a": one, "b": one, "c": one}, {"a": floats, "b": floats})
    assert back["a"] is back["b"]
    assert back == {"a": [1.0], "b": [1.0], "c": [1]}
    assert back["c"] is one
    with pytest.raises(InvalidValue, match=r"`a\[0\]`: expected float"):
        conform_slots({"a": ["x"]}, {"a": floats})


def test_sharing_survives_conversion() -> None:
    one: list[object] = [1]
    back = conform([one, one], descriptor(list[list[float]]))
    assert isinstance(back, list)
    assert back[0] is back[1]
    assert back[0] == [1.0]
    assert one == [1]


@pytest.mark.parametrize(
    ("declared", "value", "text"),
    [
        (int, "1", "`value`: expected int, got str '1'"),
        (int, 1.0, "`value`: expected int, got float 1.0"),
        (float, True, "`value`: expected float, got bool True"),
        (str, None, "`value`: expected str, got None"),
        (int | None, "x", "`value`: expected int | None, got str 'x'"),
        (list[int], [1, "x"], "`value[1]`: expected int, got str 'x'"),
        (list[int], (1,), "`value`: expected list[int], got tuple"),
        (tuple[int, str], (1,), "`value`: expected tuple[int, str], got tuple"),
        (dict[int, str], {"x": "a"}, "`value['x']`: expected int, got str 'x'"),
        (dict[str, int], {"a": []}, "`value['a']`: expected int, got list"),
        (Literal[1], True, "`value`: expected 1, got bool True"),
        (
            Basket | None,
            Basket([WRONG]),
            "`value.lines[0].price`: expected float, got str 'x'",
        ),
        (Address, {}, "`value.street`: expected str, got nothing"),
        (datetime, "2026-01-01", "`value`: expected datetime, got str '2026-01-01'"),
        (Tree, [1, ["x"]], "`value`: expected int | list[Tree], got list"),
    ],
)
def test_what_does_not_fit_is_named_by_its_field(
    declared: object, value: object, text: str
) -> None:
    with pytest.raises(InvalidValue) as caught:
        conform(value, descriptor(declared))
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("declared", "value", "expected"),
    [
        (int, 5, 5),
        (float, 5, 5.0),
        (set[int], [1, 1], {1}),
        (frozenset[str], ["a"], frozenset({"a"})),
        (tuple[int, ...], [1, 2], (1, 2)),
        (tuple[str, float], ["a", 1], ("a", 1.0)),
        (deque[int], [1], deque([1])),
        (abc.Sequence[float], [1], [1.0]),
        (dict[int, float], {"1": 1}, {1: 1.0}),
        (dict[Color, int], {"red": 1}, {Color.RED: 1}),
        (dict[date, int], {"2026-01-01": 1}, {date(2026, 1, 1): 1}),
        (Counter[str], {"a": 1}, Counter("a")),
        (bytes, "aGk=", b"hi"),
        (datetime, "2026-01-01T00:00:00Z", datetime(2026, 1, 1, tzinfo=UTC)),
        (date, "2026-01-01", date(2026, 1, 1)),
        (time, "10:00", time(10)),
        (timedelta, 1.5, timedelta(seconds=1.5)),
        (timedelta, "1h30m", timedelta(minutes=90)),
        (UUID, str(UUID(int=1)), UUID(int=1)),
        (Decimal, "1.10", Decimal("1.10")),
        (Decimal, 0.1, Decimal("0.1")),
        (Path, "a/b", Path("a/b")),
        (Color, "red", Color.RED),
        (Color, "RED", Color.RED),
        (Level, 2, Level.HIGH),
        (Color | None, None, None),
        (str | datetime, "2026-01-01", "2026-01-01"),
        (int | datetime, "2026-01-01", datetime(2026, 1, 1)),
        (Spot, {"x": 1}, Spot(1.0)),
        (Spot, [1, 2], Spot(1.0, 2.0)),
        (Box[Color], {"content": "red"}, Box(Color.RED)),
        (Slotted, {"a": 1}, Slotted(1)),
        (Node, {"name": "a", "next": {"name": "b"}}, Node("a", Node("b"))),
        (Address, {"street": "s", "zip": 5}, {"street": "s", "zip": 5}),
        (User, {"name": "x"}, User(name="x")),
        (list[Priced], [{"price": 1, "counts": {"1": 2}}], [Priced(1.0, {1: 2.0})]),
        (Tree, [1, [2]], [1, [2]]),
        (Order, Order(5), Order(5)),
        (Any, {"x": [1]}, {"x": [1]}),
        (
            Basket,
            {"lines": [{"price": 2}], "owner": {"name": "A"}, "kind": "blue", "at": "2026-01-01"},
            Basket([Priced(2.0)], User(name="A"), Color.BLUE, datetime(2026, 1, 1)),
        ),
    ],
)
def test_outside_json_becomes_the_declared_value(
    declared: object, value: object, expected: object
) -> None:
    found = conform_json(value, descriptor(declared))
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("declared", "value", "text"),
    [
        (int, True, "`issue`: expected int, got bool True"),
        (int, "5", "`issue`: expected int, got str '5'"),
        (int, 2.0, "`issue`: expected int, got float 2.0"),
        (Basket, {}, "`issue.lines`: expected list[Priced], got nothing"),
        (Basket, {"lines": [], "x": 1}, "`issue.x`: expected a field of Basket, got another name"),
        (
            Basket,
            {"lines": [{"price": "x"}]},
            "`issue.lines[0].price`: expected float, got str 'x'",
        ),
        (Color, "green", "`issue`: expected Color (one of 'red', 'blue'), got str 'green'"),
        (datetime, "soon", "`issue`: expected an ISO 8601 date and time, got str 'soon'"),
        (timedelta, "soon", "`issue`: expected timedelta, got str 'soon'"),
        (UUID, "x", "`issue`: expected UUID, got str 'x'"),
        (bytes, "!", "`issue`: expected bytes, got str '!'"),
        (Decimal, "x", "`issue`: expected Decimal, got str 'x'"),
        (Fussy, {"value": -1}, "`issue`: expected Fussy, got values it refuses: negative"),
        (set[list[int]], [[1]], "`issue`: expected set[list[int]], got items that fit no set"),
        (Path, 5, "`issue`: expected Path, got int 5"),
        (
            Limited,
            {"low": -1},
            "`issue.low`: expected Limited (Input should be greater than or equal to 0), got int",
        ),
    ],
)
def test_outside_json_that_does_not_fit_is_named(
    declared: object, value: object, text: str
) -> None:
    with pytest.raises(InvalidValue) as caught:
        conform_json(value, descriptor(declared), "issue")
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize(
    "declared",
    [
        int,
        list[Order],
        Tree,
        Nest[int],
        int | None,
        Pair[int],
        tuple[int, ...],
        tuple[int, str],
        Literal[b"x", Color.RED],
    ],
)
def test_a_descriptor_is_json_too(declared: object) -> None:
    made = descriptor(declared)
    assert from_json(to_json(made)) == made
    assert descriptor(annotation(made)) == made


def test_descriptors_name_classes_by_import_path() -> None:
    made = descriptor(dict[str, list[Order]])
    inner = Descriptor(
        "class", "builtins:list", (Descriptor("class", "tests.codec.samples:Order"),)
    )
    assert made == Descriptor(
        "class", "builtins:dict", (Descriptor("class", "builtins:str"), inner)
    )
    assert to_json(Descriptor("class", "builtins:int")) == ["class", "builtins:int"]
    assert descriptor("unresolved") == ANY
    assert spell(made) == "dict[str, list[Order]]"


def test_hints_of_a_function_are_descriptors() -> None:
    def act(a: "Annotated[int, 'doc']", b: "Optional[Point]" = None) -> "list[float]": ...  # noqa: UP045

    hints = typing.get_type_hints(act, include_extras=True)
    assert {name: spell(descriptor(hint)) for name, hint in hints.items()} == {
        "a": "int", "b": "Point | None", "return": "list[float]",
    }  # fmt: skip
