"""What cannot cross is refused with the path to it; what is not of this format is not read."""

import threading
from collections import OrderedDict, defaultdict
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr

from perdure.codec import (
    VERSION,
    CorruptValue,
    Json,
    NewerVersion,
    UncodableError,
    check_version,
    decode,
    encode,
    encode_slots,
)
from tests.codec.samples import Box, FakeStep, Fussy, Order, Point, User, Vault

LOCK = threading.Lock()


PLACES: list[tuple[object, str]] = [
    (LOCK, "result"),
    ([1, LOCK], "result[1]"),
    ({"a": [0, (LOCK,)]}, "result['a'][1][0]"),
    (Order(1, items=[1, 2, 3, Box(LOCK)]), "result.items[3].content"),
    ({1: LOCK}, "result[1]"),
    ({Point(1, 2): LOCK}, "result[Point]"),
    ({LOCK: 1}, "result[lock]"),
    (OrderedDict(k=LOCK), "result['k']"),
    (defaultdict(LOCK.acquire), "result.default_factory.__self__"),
    (User.model_construct(name=LOCK), "result.name"),
    (ValueError("a", LOCK), "result.args[1]"),
    ({LOCK, 1, b""}, "result{}"),
    ([frozenset({(1, LOCK)})], "result[0]{}[1]"),
]


@pytest.mark.parametrize(("value", "place"), PLACES)
def test_the_text_names_the_path_and_the_type(value: object, place: str) -> None:
    with pytest.raises(UncodableError) as caught:
        encode(value, path="result")
    assert str(caught.value).startswith(f"{place}: `lock` cannot cross: it has no codec; pass ")
    assert isinstance(caught.value, TypeError)


def test_a_slot_is_named_as_the_program_names_it() -> None:
    with pytest.raises(TypeError, match=r"^client\[0\]: `lock` cannot cross"):
        encode_slots({"a": 1, "client": [LOCK]})


@pytest.mark.parametrize("value", [SecretStr("x"), Vault(key=SecretStr("x")), [SecretStr("")]])
def test_a_secret_never_enters_state(value: object) -> None:
    with pytest.raises(UncodableError, match="`SecretStr` cannot cross: a secret never enters"):
        encode(value)


def test_a_class_made_in_a_function_is_refused() -> None:
    @dataclass
    class Inner:
        x: int

    for value in (Inner(1), Inner):
        with pytest.raises(
            UncodableError, match="`Inner` cannot cross: its class is defined inside"
        ):
            encode(value)


class Plain:
    pass


@pytest.mark.parametrize(
    "value",
    [
        Plain(), object(), (n for n in [1]), iter([1]), memoryview(b""), {"a": 1}.keys(),
        open, Path, print,
    ],
)  # fmt: skip
def test_values_without_state_that_is_data_are_refused_or_named(value: object) -> None:
    if isinstance(value, type) or callable(value):
        assert decode(encode(value)) is value
        return
    with pytest.raises(UncodableError, match="it has no codec"):
        encode(value)


def test_an_unbound_step_is_refused() -> None:
    with pytest.raises(UncodableError, match="not bound to a name"):
        encode(FakeStep("app:outer.<locals>.inner"))


def test_a_nested_function_is_refused_without_a_table() -> None:
    with pytest.raises(UncodableError, match="a nested function crosses only inside a flow"):
        encode([lambda: 1])


def test_nesting_is_limited_the_same_everywhere() -> None:
    def nested(depth: int) -> object:
        value: object = 0
        for _ in range(depth):
            value = [value]
        return value

    assert decode(encode(nested(199))) == nested(199)
    with pytest.raises(UncodableError, match="nested over 200 levels deep"):
        encode(nested(201))


def test_no_constructor_runs() -> None:
    made = Fussy(1)
    made.value = -1
    back = decode(encode(made))
    assert isinstance(back, Fussy)
    assert back.value == -1


@pytest.mark.parametrize(
    "data",
    [
        {"@": "nothing"},
        {"@": 5},
        {"@": "tuple"},
        {"@": "tuple", "v": 5},
        {"@": "ref", "n": 3},
        {"@": "ref", "n": "x"},
        {"@": "dict", "v": [[1]]},
        {"@": "data", "c": "nocolon", "v": {}},
        {"@": "enum", "c": "builtins:int", "v": "A"},
        {"@": "sub", "c": "builtins:int", "b": "list", "v": []},
    ],
)
def test_what_nobody_wrote_is_not_read(data: Json) -> None:
    with pytest.raises(CorruptValue):
        decode(data)


def test_a_newer_version_is_refused_by_name() -> None:
    check_version(VERSION)
    with pytest.raises(NewerVersion, match=r"value codec version 2 is newer than .* \(1\)"):
        check_version(VERSION + 1)
    with pytest.raises(NewerVersion, match="envelope version None"):
        check_version(None, "envelope")


def test_classes_are_found_by_the_given_resolver() -> None:
    asked: list[str] = []

    def classes(name: str) -> type:
        asked.append(name)
        return Fussy

    assert decode({"@": "data", "c": "elsewhere:F", "v": {"value": 3}}, classes=classes) == Fussy(3)
    assert asked == ["elsewhere:F"]
