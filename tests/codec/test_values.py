"""Values cross with their types, values and sharing, as JSON that no engine can damage."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from perdure.codec import Json, decode, dumps, encode, loads
from perdure.codec.narrow import is_dict
from tests.codec.likeness import alike
from tests.codec.samples import PLAIN, TAGGED

GOLDEN = Path(__file__).parent / "golden.json"
EVERY = {**PLAIN, **TAGGED}


def through_doubles(data: Json) -> Json:
    """What an engine returns that knows only doubles, and writes a whole one as an int."""
    if isinstance(data, bool) or data is None or isinstance(data, str):
        return data
    if isinstance(data, (int, float)):
        number = float(data)
        return int(number) if number.is_integer() else number
    if isinstance(data, list):
        return [through_doubles(item) for item in data]
    return {key: through_doubles(item) for key, item in data.items()}


def all_doubles(data: Json) -> Json:
    """What an engine returns that writes 2 as 2.0."""
    if isinstance(data, list):
        return [all_doubles(item) for item in data]
    if isinstance(data, dict):
        return {key: all_doubles(item) for key, item in data.items()}
    return float(data) if type(data) is int else data


def sorted_keys(data: Json) -> Json:
    """What an engine returns that sorts the keys of objects."""
    return loads(json.dumps(data, sort_keys=True))


@pytest.mark.parametrize("name", PLAIN)
def test_plain_values_stand_for_themselves(name: str) -> None:
    assert dumps(encode(PLAIN[name])) == json.dumps(
        PLAIN[name], ensure_ascii=False, separators=(",", ":")
    )


@pytest.mark.parametrize("name", TAGGED)
def test_other_values_have_a_form_of_their_own(name: str) -> None:
    assert '"@"' in dumps(encode(TAGGED[name]))


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("name", EVERY)
def test_a_value_returns_from_text_unchanged(name: str, ordered: bool) -> None:
    value = EVERY[name]
    data = encode(value, ordered=ordered)
    text = dumps(data)
    assert alike(decode(loads(text)), value)
    assert alike(decode(through_doubles(data)), value)
    assert alike(decode(all_doubles(data)), value)
    assert dumps(encode(decode(data), ordered=ordered)) == text


@pytest.mark.parametrize("name", EVERY)
def test_an_ordered_value_survives_an_engine_that_sorts_keys(name: str) -> None:
    assert alike(decode(sorted_keys(encode(EVERY[name], ordered=True))), EVERY[name])


def test_the_order_of_keys_is_lost_without_ordered_only() -> None:
    value = {"b": 1, "a": 2}
    assert encode(value) == value
    back = decode(sorted_keys(encode(value, ordered=True)))
    assert is_dict(back)
    assert [*back] == ["b", "a"]
    assert encode({"b": 1}, ordered=True) == {"b": 1}


def test_text_is_valid_utf_8_and_standard_json() -> None:
    for value in EVERY.values():
        text = dumps(encode(value))
        assert json.loads(text.encode().decode(), parse_constant=pytest.fail) is not ...


def test_the_format_is_the_golden_file() -> None:
    written = {name: encode(value) for name, value in EVERY.items()}
    golden = json.loads(GOLDEN.read_text())
    assert golden["codec"] == 1
    assert dumps(golden["values"]) == dumps(written)  # as text: the order of keys counts


def test_the_golden_file_is_read() -> None:
    golden = json.loads(GOLDEN.read_text())["values"]
    assert [name for name in EVERY if not alike(decode(golden[name]), EVERY[name])] == []


def test_every_tag_is_in_the_golden_file_or_tested_apart_and_on_the_format_page() -> None:
    from perdure.codec.tables import READERS

    page = (Path(__file__).parents[2] / "docs" / "formats" / "codec.md").read_text()
    assert set(READERS) == set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    in_golden = set(re.findall(r'"@": "(\w+)"', GOLDEN.read_text()))
    apart = {"closure", "cell", "method"}
    assert set(READERS) - in_golden <= apart


PROGRAM = """
import sys
from perdure.codec import dumps, encode
from tests.codec.samples import EVERY_SET
sys.stdout.write(dumps(encode(EVERY_SET)))
"""


def test_sets_are_written_alike_under_every_hash_seed() -> None:
    root = Path(__file__).parents[2]
    texts = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": f"{root}/compiler:{root}"},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(texts) == 1
