"""Values that cross steps, branches, children and events: equal, of one type, decoded fresh."""

# Scripts are lambdas, whose parameters no checker can know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false

import math
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, NamedTuple
from uuid import UUID

import pytest

from perdure import InvalidInput, flow, step
from perdure.runtime import calls as p
from perdure.runtime.values import encode_call
from tests.runtime.harness import at, run


class Colour(Enum):
    RED = 1


class Point(NamedTuple):
    x: int
    y: float


@dataclass
class Order:
    item: str
    tags: set[str] = field(default_factory=set[str])
    note: "Order | None" = None


VALUES: list[object] = [
    2.0,
    -0.0,
    0.1,
    math.inf,
    2**53,
    -(2**200),
    True,
    None,
    "",
    "\ud800 lone",
    "é\u2028\0",
    b"\x00\xff",
    (1, (2,)),
    {1, 2},
    frozenset({"a"}),
    {1: "a", (2, 3): "b"},
    {"@": "float", "v": "1"},
    {"b": 1, "a": 2},
    Decimal("1.10"),
    date(2026, 1, 1),
    datetime(2026, 1, 1, 12, 30, 0, 7, UTC),
    timedelta(days=1, microseconds=3),
    UUID(int=7),
    Colour.RED,
    Point(1, 2.0),
    deque([1, 2], maxlen=3),
    Counter("aab"),
    OrderedDict(b=1, a=2),
    range(1, 10, 3),
    Order("tent", {"red", "blue"}, Order("pole")),
    [ValueError("a", 1)],
    1 + 2j,
]


ECHO: dict[str, Callable[..., Any]] = {"echo": lambda value: value}


@step
async def echo(value: Any) -> Any: ...


@flow
async def child(value: Any) -> Any:
    return value


@flow
async def everywhere(value: Any) -> list[Any]:
    async def branch() -> Any:
        return value

    return [
        await p.call(at("echo"), echo, value),
        await p.call(at("child"), child, value),
        (await p.gather(at("gather"), branch()))[0],
        await p.event(at("back"), "back"),
    ]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_value_comes_back_equal_and_of_its_type(value: object) -> None:
    r = run(
        everywhere,
        {"value": value},
        steps={"echo": lambda value: value},
        events=[(1, "back", value)],
    )
    assert r.status == "done", r.error
    for got in r.result:
        assert type(got) is type(value)
        # The text of a set hangs on the hashes of the process: what is equal is equal.
        assert repr(got) == repr(value) or (isinstance(value, Order) and got == value)


def test_nan_comes_back_as_nan() -> None:
    r = run(
        everywhere,
        {"value": math.nan},
        steps={"echo": lambda value: value},
        events=[(1, "back", 1)],
    )
    assert math.isnan(r.result[0])


def test_what_two_arguments_share_stays_shared() -> None:
    @step
    async def same(a: list[int], b: list[int]) -> bool: ...

    @flow
    async def main() -> Any:
        xs = [1]
        return await p.call(at("same"), same, xs, xs)

    assert run(main, steps={"same": lambda a, b: a is b}).result is True


def test_an_int_for_a_declared_float_becomes_one_and_nothing_else_is_coerced() -> None:
    @step
    async def half(amount: float) -> float: ...

    @flow
    async def main(text: bool) -> Any:
        return await p.call(at("half"), half, "2" if text else 2)

    r = run(main, {"text": False}, steps={"half": lambda amount: repr(amount) and 1})
    assert (repr(r.result), type(r.trace[0].arguments["amount"])) == ("1.0", dict)
    assert type(run(main, {"text": True}, steps={}).error).__name__ == "InvalidValue"


def test_defaults_are_fresh_in_every_run_of_a_child() -> None:
    @flow
    async def grows(items: list[int] = []) -> list[int]:  # noqa: B006
        items.append(1)
        return items

    @flow
    async def main() -> Any:
        return [await p.call(at("grows"), grows), await p.call(at("grows"), grows)]

    assert run(main).result == [[1], [1]]


def test_a_branch_value_is_a_copy_that_behaves_alike() -> None:
    defaults: defaultdict[str, list[int]] = defaultdict(list)
    defaults["a"].append(1)

    @flow
    async def main() -> Any:
        async def branch() -> Any:
            return defaults

        (got,) = await p.gather(at("gather"), branch())
        return [type(got).__name__, got["a"], got["b"], got is defaults]

    assert run(main).result == ["defaultdict", [1], [], False]


def test_a_start_from_code_names_the_field_that_does_not_fit() -> None:
    @flow
    async def main(amount: int) -> None: ...

    with pytest.raises(InvalidInput, match="`amount`: expected int"):
        encode_call(main, ("x",), {})
