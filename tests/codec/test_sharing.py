"""One call is one heap: sharing and cycles survive, between slots too."""

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from perdure.codec import Json, copy, decode, decode_slots, dumps, encode, encode_slots, loads
from perdure.codec.narrow import is_dict, is_list
from tests.codec.likeness import alike
from tests.codec.samples import Color, Kind, Money, Order, Point, Slotted
from tests.codec.test_values import all_doubles, sorted_keys, through_doubles

SCALARS: st.SearchStrategy[object] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=2**53 - 3, max_value=2**53 + 3),
    st.floats(),
    st.sampled_from([0.0, -0.0, 1e16, float("nan"), 2.0]),
    st.text(),
    st.text(st.characters(categories=["Cs", "Ll", "So"])),
    st.sampled_from(["@", "", "😀", "\x00", "__proto__", "1"]),
    st.binary(max_size=8),
    st.decimals(allow_nan=False),
    st.dates(),
    st.datetimes(),
    st.timedeltas(),
    st.uuids(),
    st.sampled_from([Color.RED, Kind.BUG]),
)
KEYS: st.SearchStrategy[object] = st.one_of(
    st.text(max_size=4),
    st.sampled_from(["@", "v", "n", "ref"]),
    st.integers(),
    st.tuples(st.text()),
    st.sampled_from([Color.RED, None, True, Kind.BUG, Money(Decimal(1), "EUR"), frozenset({1})]),
)


def grown(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    lists = st.tuples(inner, inner) | st.lists(inner)
    return lists | st.frozensets(st.integers()) | st.dictionaries(KEYS, inner)


@st.composite
def graphs(draw: st.DrawFn) -> object:
    """A value whose holders may hold any other one, themselves included."""
    pool: list[object] = []
    rooms: list[object] = []
    for kind in draw(st.lists(st.sampled_from("ldonts"), min_size=1, max_size=7)):
        items = draw(st.lists(SCALARS, max_size=3))
        inside = [*items, *([draw(st.sampled_from(pool))] if pool else [])]
        if kind == "l":
            pool.append(inside)
            rooms.append(inside)
        elif kind == "d":
            made: dict[object, object] = {draw(KEYS): item for item in inside}
            pool.append(made)
            rooms.append(made)
        elif kind == "o":
            order = Order(1, items=inside)
            pool.append(order)
            rooms.append(order)
        elif kind == "n":
            pool.append(Point(inside, inside))
        elif kind == "t":
            pool.append(tuple(inside))
        else:
            pool.append(Slotted(1, inside))
    for room in rooms:
        link = draw(st.one_of(st.none(), st.sampled_from(pool)))
        if is_list(room):
            room.append(link)
        elif is_dict(room):
            room["link"] = link
        else:
            vars(room)["extra"] = link
    return draw(st.sampled_from([pool, pool[-1]]))


@given(graphs())
def test_any_graph_returns_alike(value: object) -> None:
    data = encode(value)
    text = dumps(data)
    back: Any = decode(loads(text))
    assert alike(back, value)
    assert dumps(encode(back)) == text
    assert alike(decode(through_doubles(data)), value)
    assert alike(decode(all_doubles(data)), value)
    assert alike(decode(sorted_keys(encode(value, ordered=True))), value)
    assert alike(copy(value), value)


@given(st.recursive(SCALARS, grown))
def test_any_tree_returns_alike(value: object) -> None:
    assert alike(decode(loads(dumps(encode(value)))), value)


def test_a_second_occurrence_is_a_reference() -> None:
    one = [1]
    assert encode([one, one]) == [{"@": "def", "n": 1, "v": [1]}, {"@": "ref", "n": 1}]
    assert encode([[1], [1]]) == [[1], [1]]


def test_a_definition_is_found_wherever_it_stands() -> None:
    data: Json = {
        "a": {"@": "ref", "n": 1},
        "b": {"@": "def", "n": 1, "v": {"x": {"@": "ref", "n": 1}}},
    }
    back: Any = decode(loads(dumps(data)))
    assert back["a"] is back["b"] is back["a"]["x"]


def test_equal_constants_that_are_one_object_are_written_out() -> None:
    pair = (1, ("x", 2.5))
    assert encode([pair, pair]) == encode([pair, (1, ("x", 2.5))])
    assert dumps(encode([frozenset({pair})] * 2)).count("ref") == 0


def test_a_tuple_that_leads_to_a_list_is_shared() -> None:
    pair: tuple[list[object]] = ([],)
    pair[0].append(pair)
    back: Any = decode(encode({"a": pair, "b": pair}))
    assert back["a"][0] is back["b"][0]
    assert back["a"][0][0][0] is back["a"][0]


def test_layers_of_shared_tuples_stay_small() -> None:
    value: object = [0]
    for _ in range(60):
        value = (value, value)
    assert len(dumps(encode(value))) < 10_000


def test_slots_share_one_heap_and_keep_their_names() -> None:
    items = [1]
    order = Order(1, items=[items])
    data = encode_slots({"items": items, "order": order, "n": 5, "@": 2.0})
    assert data["n"] == 5
    back: Any = decode_slots(loads(dumps(data)))
    assert back["order"].items[0] is back["items"]
    assert back["@"] == 2.0
    assert isinstance(back["@"], float)


def test_slots_survive_an_engine_that_sorts_them() -> None:
    items = [1]
    data = encode_slots({"z": items, "a": items}, ordered=True)
    back: Any = decode_slots(sorted_keys(data))
    assert back["a"] is back["z"]


def test_encoding_leaves_the_value_alone() -> None:
    inner = [1]
    value = [inner, inner, {"x": inner}]
    data: Any = encode(value)
    assert value == [[1], [1], {"x": [1]}]
    data[1]["n"] = 5
    assert inner == [1]


def test_a_copy_shares_nothing_with_the_original() -> None:
    value: dict[str, Any] = {"a": [1], "b": ([],)}
    made: Any = copy(value)
    assert made["a"] is not value["a"]
    assert made["b"][0] is not value["b"][0]
    assert made == value
