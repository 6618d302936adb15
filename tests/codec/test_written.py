"""Numbers in JSON from outside keep their digits where a Decimal is declared."""

from decimal import Decimal
from typing import Any

import pytest

from perdure.codec import decode, encode
from perdure.codec.descriptors import descriptor
from perdure.codec.faults import InvalidValue
from perdure.codec.from_json import conform_json
from perdure.codec.written import Written, read_json


@pytest.mark.parametrize(
    "text", ["12345678901234567890.12345678901", "1e400", "0.10", "-0.0", "1E-500"]
)
def test_a_decimal_is_what_was_written(text: str) -> None:
    made: Any = conform_json(read_json(f"[{text}]"), descriptor(list[Decimal]))
    assert repr(made) == repr([Decimal(text)])
    assert decode(encode(made)) == made


def test_anywhere_else_it_is_a_float() -> None:
    value = read_json('{"a": 0.10, "b": [1.0]}')
    for declared in (dict[str, Any], Any):
        made: Any = decode(encode(conform_json(value, descriptor(declared))))
        assert made == {"a": 0.1, "b": [1.0]}
        assert type(made["a"]) is float
    assert type(conform_json(Written("0.10"), descriptor(float))) is float
    with pytest.raises(InvalidValue, match=r"got float 0\.1$"):
        conform_json(Written("0.10"), descriptor(str))


def test_a_tuple_of_another_length_is_told_by_its_length() -> None:
    with pytest.raises(InvalidValue, match=r"expected tuple\[int, str\], got 3 items"):
        conform_json([1, "a", 2], descriptor(tuple[int, str]))
