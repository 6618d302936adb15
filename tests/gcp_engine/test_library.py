"""The standard library: the examples of its pages, below STDLIB with the function's name."""

import pytest

from perdure_gcp.workflows.library import LIBRARY
from perdure_gcp.workflows.signatures import FUNCTIONS
from tests.gcp_engine.running import FAILED, OPEN, REFUSED, evaluated

STDLIB = "https://cloud.google.com/workflows/docs/reference/stdlib/"

ROWS: list[tuple[str, dict[str, object], object]] = [
    ('base64.encode(text.encode("hi"))', {}, "aGk="),
    ('base64.encode(text.encode("hi"), false)', {}, "aGk"),
    ('text.decode(base64.decode("aGk="))', {}, "hi"),
    ('text.decode(base64.decode("aGk", false))', {}, "hi"),
    ('base64.decode("?")', {}, FAILED),
    ('base64.encode("hi")', {}, FAILED),
    ('base64.encode(hash.compute_checksum(text.encode("hello"), "SHA256"))', {},
     "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="),
    ('base64.encode(hash.compute_hmac(text.encode("Jefe"), text.encode(m), "SHA256"))',
     {"m": "what do ya want for nothing?"},
     "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM="),
    ('hash.compute_checksum(text.encode("a"), "CRC")', {}, OPEN + "hash"),
    ('json.decode("{\\"a\\": [1, true, null]}")', {}, {"a": [1, True, None]}),
    ('json.decode(text.encode("[1]"))', {}, [1]),
    ('json.decode("{")', {}, FAILED),
    ("json.decode(1)", {}, FAILED),
    ('json.decode("{\\"a\\": 1, \\"a\\": 2}")', {}, OPEN + "json-duplicate"),
    ('json.decode("2.0")', {}, OPEN + "json-double"),
    ('json.decode("18446744073709551616")', {}, OPEN + "json-number"),
    ("json.encode_to_string(m)", {"m": {"a": 1}}, '{"a":1}'),
    ("json.encode_to_string(l)", {"l": [1, "b", None, True]}, '[1,"b",null,true]'),
    ("text.decode(json.encode(l))", {"l": [1]}, "[1]"),
    ("json.encode_to_string(m, true)", {"m": {"a": 1}}, OPEN + "json-text"),
    ('json.encode_to_string("<")', {}, OPEN + "json-text"),
    ('list.concat(l, 3)', {"l": [1, 2]}, [1, 2, 3]),
    ("list.concat(l, k)", {"l": [1], "k": [2]}, [1, [2]]),
    ("list.prepend(l, 0)", {"l": [1]}, [0, 1]),
    ("list.concat(1, 2)", {}, FAILED),
    ('map.get(m, "a")', {"m": {"a": 1}}, 1),
    ('map.get(m, "b")', {"m": {"a": 1}}, None),
    ('map.get(m, ["a", "b"])', {"m": {"a": {"b": 7}}}, 7),
    ('map.get(m, ["x", "y"])', {"m": {"a": 1}}, None),
    ('map.get(n, "a")', {"n": None}, None),
    ('default(map.get(m, "b"), 5)', {"m": {}}, 5),
    ('map.get(l, "a")', {"l": []}, OPEN + "helper-type"),
    ('map.delete(m, "a")', {"m": {"a": 1, "b": 2}}, {"b": 2}),
    ('map.delete(m, "c")', {"m": {"a": 1}}, OPEN + "helper-type"),
    ("map.merge(m, k)", {"m": {"a": 1, "b": 1}, "k": {"b": 2}}, {"a": 1, "b": 2}),
    ("map.merge(m, k)", {"m": {"a": {"x": 1}}, "k": {"a": {"y": 2}}}, {"a": {"y": 2}}),
    ("map.merge_nested(m, k)", {"m": {"a": {"x": 1}}, "k": {"a": {"y": 2}}},
     {"a": {"x": 1, "y": 2}}),
    ("map.merge_nested(m, k)", {"m": {"a": 1}, "k": {"a": {"y": 2}}}, {"a": {"y": 2}}),
    ("map.merge(1, m)", {"m": {}}, FAILED),
    ("math.abs(a)", {"a": -3}, 3),
    ("math.abs(a)", {"a": -1.5}, 1.5),
    ("math.floor(2.7)", {}, 2),
    ("math.max(1, 2)", {}, 2),
    ("math.min(1.5, 2.5)", {}, 1.5),
    ("math.max(1, 2.5)", {}, OPEN + "helper-type"),
    ("math.pow(1, 2)", {}, REFUSED),
    ('math.abs("a")', {}, FAILED),
    ('sys.get_env("NOPE", "instead")', {}, "instead"),
    ('sys.get_env("GOOGLE_CLOUD_PROJECT_ID")', {}, "demo"),
    ('sys.get_env("GOOGLE_CLOUD_LOCATION")', {}, "us-central1"),
    ('sys.get_env("GOOGLE_CLOUD_WORKFLOW_ID")', {}, "main"),
    ('sys.get_env("NOPE")', {}, OPEN + "helper-type"),
    ("int(sys.now())", {}, 1767225600),
    ('text.find_all("banana", "a")', {}, [1, 3, 5]),
    ('text.find_all("banana", "x")', {}, []),
    ('text.find_all("banana", "ana")', {}, OPEN + "find-overlap"),
    ('text.find_all_regex("banana", "a")', {},
     [{"index": 1, "match": "a"}, {"index": 3, "match": "a"}, {"index": 5, "match": "a"}]),
    ('text.match_regex("Hello world", "H.*d")', {}, True),
    ('text.match_regex("Hello world", "^w")', {}, False),
    ('text.match_regex("Hello", "(")', {}, FAILED),
    ('text.match_regex("Hello", "(?<=l)l")', {}, OPEN + "regex"),
    ('text.match_regex("7", "\\\\d")', {}, OPEN + "regex"),
    ('text.replace_all("a.b.c", ".", "-")', {}, "a-b-c"),
    ('text.replace_all_regex("a1b2", "[0-9]", "X")', {}, "aXbX"),
    ('text.replace_all_regex("ab", "(a)", "\\\\1")', {}, OPEN + "regex"),
    ('text.substring("Hello", 1, 3)', {}, "el"),
    ('text.substring("Hello", 0, 5)', {}, "Hello"),
    ('text.substring("Hello", 3, 9)', {}, OPEN + "substring-range"),
    ('text.split("a,b,c", ",")', {}, ["a", "b", "c"]),
    ('text.split("a", ",")', {}, ["a"]),
    ('text.split("", ",")', {}, OPEN + "split-empty"),
    ('text.to_upper("ab")', {}, "AB"),
    ('text.to_lower("AB")', {}, "ab"),
    ('text.to_upper(s)', {"s": "\u00df"}, OPEN + "case"),
    ('text.url_encode("a b&c/d")', {}, "a%20b%26c%2Fd"),
    ('text.url_encode_plus("a b&c/d")', {}, "a+b%26c%2Fd"),
    ('text.url_decode("a%20b%26c")', {}, "a b&c"),
    ('text.url_decode("%")', {}, OPEN + "encoding"),
    ('text.decode(text.encode("h\u00e9"))', {}, "h\u00e9"),
    ("time.format(0)", {}, "1970-01-01T00:00:00Z"),
    ('time.format(0, "America/New_York")', {}, "1969-12-31T19:00:00-05:00"),
    ("time.format(0.5)", {}, OPEN + "time-text"),
    ('int(time.parse("1970-01-01T00:00:10Z"))', {}, 10),
    ('time.parse("1970-01-01T00:00:10.5Z")', {}, 10.5),
    ('int(time.parse("1970-01-01T01:00:00+01:00"))', {}, 0),
    ('time.parse("yesterday")', {}, OPEN + "time-text"),
    ("len(uuid.generate())", {}, 36),
    ("sys.sleep(1)", {}, REFUSED),
    ('http.get("https://a.b")', {}, REFUSED),
    ("events.create_callback_endpoint()", {}, REFUSED),
    ("retry.default_backoff", {}, {"initial_delay": 1, "max_delay": 60, "multiplier": 1.25}),
    ("http.default_retry.max_retries", {}, 5),
    ("http.default_retry_non_idempotent.backoff.multiplier", {}, 1.25),
]  # fmt: skip


@pytest.mark.parametrize("row", [pytest.param(row, id=row[0]) for row in ROWS])
def test_a_function_gives_what_its_page_says(row: tuple[str, dict[str, object], object]) -> None:
    expression, variables, expected = row
    value = evaluated(expression, variables)
    assert (value, type(value)) == (expected, type(expected))


def test_every_function_of_the_library_is_there() -> None:
    waiting = {name for name, signature in FUNCTIONS.items() if signature.blocking}
    assert set(LIBRARY) == set(FUNCTIONS) - waiting


def test_every_function_has_a_row() -> None:
    for name in LIBRARY:
        helper = "." not in name
        assert helper or any(f"{name}(" in row[0] for row in ROWS), name
