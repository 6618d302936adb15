"""Operators and helpers: every documented table and example, with the page it is from."""

import pytest

from tests.gcp_engine.running import FAILED, OPEN, REFUSED, evaluated, tags

DATATYPES = "https://cloud.google.com/workflows/docs/reference/syntax/datatypes"
EXPRESSIONS = "https://cloud.google.com/workflows/docs/reference/syntax/expressions"
CHEAT_SHEET = "https://cloud.google.com/workflows/docs/reference/syntax/syntax-cheat-sheet"
HELPERS = "https://cloud.google.com/workflows/docs/reference/stdlib/expression-helpers"
SAMPLES = "https://github.com/GoogleCloudPlatform/workflows-samples"
NOWHERE = "no page says"

type Row = tuple[str, dict[str, object], object, str]

ADDITION: list[Row] = [
    # Implicit conversions of `+`: the table of the page, both ways round.
    ("1 + 2", {}, 3, DATATYPES),
    ("1 + 1.5", {}, 2.5, DATATYPES),
    ("1.5 + 1", {}, 2.5, DATATYPES),
    ("1.5 + 1.25", {}, 2.75, DATATYPES),
    ('"a" + "b"', {}, "ab", DATATYPES),
    ('"a" + 1', {}, "a1", DATATYPES),
    ('1 + "a"', {}, "1a", DATATYPES),
    ('"a" + 1.5', {}, "a1.5", DATATYPES),
    ('1.5 + "a"', {}, "1.5a", DATATYPES),
    ('"a" + true', {}, "atrue", DATATYPES),
    ('false + "a"', {}, "falsea", DATATYPES),
    ("true + 1", {}, FAILED, DATATYPES),
    ("1 + true", {}, FAILED, DATATYPES),
    ("true + 1.5", {}, FAILED, DATATYPES),
    ("true + true", {}, FAILED, DATATYPES),
    ("l + l", {"l": [1]}, FAILED, DATATYPES),
    ('n + "a"', {"n": None}, FAILED, DATATYPES),
]

ARITHMETIC: list[Row] = [
    ("7 - 2", {}, 5, EXPRESSIONS),
    ("7 - 2.5", {}, 4.5, EXPRESSIONS),
    ("7 * 2", {}, 14, EXPRESSIONS),
    ("7 * 0.5", {}, 3.5, EXPRESSIONS),
    ("7 / 2", {}, 3.5, EXPRESSIONS),
    ("7 // 2", {}, 3, EXPRESSIONS),
    ("7 % 3", {}, 1, EXPRESSIONS),
    ("-a", {"a": 4}, -4, EXPRESSIONS),
    ("-a", {"a": -1.5}, 1.5, EXPRESSIONS),
    ("temperature * 9/5 + 32", {"temperature": 27}, 80.6, f"{SAMPLES}: expression"),
    ('"is "+string(t)+" F"', {"t": 80.6}, "is 80.6 F", f"{SAMPLES}: expression"),
    ('"a" - 1', {}, FAILED, EXPRESSIONS),
    ('"a" * 2', {}, FAILED, EXPRESSIONS),
    ("-s", {"s": "a"}, FAILED, EXPRESSIONS),
    ("-b", {"b": True}, FAILED, EXPRESSIONS),
    ("a // 2", {"a": -7}, OPEN + "division", NOWHERE),
    ("7 // a", {"a": -2}, OPEN + "division", NOWHERE),
    ("a % 3", {"a": -7}, OPEN + "division", NOWHERE),
    ("7.5 // 2", {}, OPEN + "division", NOWHERE),
    ("7.5 % 2", {}, OPEN + "division", NOWHERE),
    ("9223372036854775807 + 1", {}, OPEN + "overflow", NOWHERE),
    ("a * a", {"a": 2**40}, OPEN + "overflow", NOWHERE),
    ("4 / 2", {}, OPEN + "json-double", NOWHERE),
]

PRECEDENCE: list[Row] = [
    ("1 + 2 * 3", {}, 7, DATATYPES),
    ("(1 + 2) * 3", {}, 9, DATATYPES),
    ("10 - 4 - 3", {}, 3, DATATYPES),
    ("7 - (4 - 3)", {}, 6, DATATYPES),
    ("-2 + 5", {}, 3, DATATYPES),
    ("1 + 1 == 2", {}, True, DATATYPES),
    ("true or false and false", {}, True, DATATYPES),
    ("1 == 1 and 2 == 2", {}, True, DATATYPES),
    ("not true or true", {}, True, DATATYPES),
    ('not ("a" in m)', {"m": {"a": 1}}, False, CHEAT_SHEET),
    ('not "a" in m', {"m": {"a": 1}}, FAILED, DATATYPES),
    ("not 1 == 2", {}, FAILED, DATATYPES),
    ("1 < a < 3", {"a": 2}, FAILED, DATATYPES),
    ("m.l[1].k", {"m": {"l": [0, {"k": 5}]}}, 5, DATATYPES),
    ("-m.a", {"m": {"a": 3}}, -3, DATATYPES),
    ("not m.a", {"m": {"a": False}}, True, DATATYPES),
]

COMPARISON: list[Row] = [
    ("1 < 2", {}, True, EXPRESSIONS),
    ("2 <= 2", {}, True, EXPRESSIONS),
    ("1 > 2", {}, False, EXPRESSIONS),
    ("2 >= 3", {}, False, EXPRESSIONS),
    ("1 < 1.5", {}, True, EXPRESSIONS),
    ("1 == 1", {}, True, EXPRESSIONS),
    ("1 != 1", {}, False, EXPRESSIONS),
    ("1 == 1.0", {}, True, EXPRESSIONS),
    ('"a" == "a"', {}, True, EXPRESSIONS),
    ('"a" != "b"', {}, True, EXPRESSIONS),
    ("true == false", {}, False, EXPRESSIONS),
    ("n == null", {"n": None}, True, EXPRESSIONS),
    ("n != null", {"n": 0}, True, EXPRESSIONS),
    ("l == null", {"l": []}, False, EXPRESSIONS),
    ("2 in l", {"l": [1, 2]}, True, CHEAT_SHEET),
    ('"Key1" in l', {"l": ["zero", "one"]}, False, CHEAT_SHEET),
    ('"Key1" in m', {"m": {"Key1": 1}}, True, CHEAT_SHEET),
    ('"Key2" in m', {"m": {"Key1": 1}}, False, CHEAT_SHEET),
    ('"a" in l', {"l": [1, None, "a"]}, True, CHEAT_SHEET),
    ('"a" in s', {"s": "abc"}, FAILED, EXPRESSIONS),
    ("true < false", {}, FAILED, EXPRESSIONS),
    ('1 < "2"', {}, FAILED, EXPRESSIONS),
    ('"a" < "b"', {}, OPEN + "order", NOWHERE),
    ('1 == "1"', {}, OPEN + "equality", NOWHERE),
    ("b == 1", {"b": True}, OPEN + "equality", NOWHERE),
    ("l == k", {"l": [1], "k": [1]}, OPEN + "deep-equality", NOWHERE),
    ("m == k", {"m": {}, "k": {}}, OPEN + "deep-equality", NOWHERE),
]

LOGIC: list[Row] = [
    ("true and false", {}, False, CHEAT_SHEET),
    ("true or false", {}, True, CHEAT_SHEET),
    ("not true", {}, False, CHEAT_SHEET),
    ("true AND false", {}, False, DATATYPES),
    ("true OR false", {}, True, DATATYPES),
    ("NOT true", {}, False, DATATYPES),
    ("true And false", {}, REFUSED, DATATYPES),
    ("True and TRUE", {}, True, DATATYPES),
    ("False or FALSE", {}, False, DATATYPES),
    ("1 and true", {}, FAILED, DATATYPES),
    ("true and 1", {}, FAILED, DATATYPES),
    ('"a" or true', {}, FAILED, DATATYPES),
    ("null or true", {}, FAILED, DATATYPES),
    ("not s", {"s": "x"}, FAILED, DATATYPES),
    ("not n", {"n": None}, FAILED, DATATYPES),
    ("1 < a and a < 10", {"a": 5}, True, DATATYPES),
    ("false and (1 / z == 1)", {"z": 0}, OPEN + "short-circuit", NOWHERE),
    ("true or m.missing", {"m": {}}, OPEN + "short-circuit", NOWHERE),
    ("false and 1", {}, OPEN + "short-circuit", NOWHERE),
]

HELPER: list[Row] = [
    ('double("2.7")', {}, 2.7, CHEAT_SHEET),
    ('double("1.25")', {}, 1.25, CHEAT_SHEET),
    ("double(1) + 0.5", {}, 1.5, HELPERS),
    ("int(2.7)", {}, 2, CHEAT_SHEET),
    ('int("42")', {}, 42, HELPERS),
    ('int("-3")', {}, -3, HELPERS),
    ('int("x")', {}, FAILED, HELPERS),
    ("int(true)", {}, FAILED, HELPERS),
    ("int(l)", {"l": []}, FAILED, HELPERS),
    ('int(" 7 ")', {}, OPEN + "conversion", NOWHERE),
    ('int("1_000")', {}, OPEN + "conversion", NOWHERE),
    ("int(a)", {"a": -2.7}, OPEN + "conversion", NOWHERE),
    ("string(1.7)", {}, "1.7", CHEAT_SHEET),
    ("string(12)", {}, "12", HELPERS),
    ("string(true)", {}, "true", HELPERS),
    ("string(null)", {}, FAILED, HELPERS),
    ("string(l)", {"l": [1]}, FAILED, HELPERS),
    ("string(1.0)", {}, OPEN + "double-text", NOWHERE),
    ("string(0.1 + 0.2)", {}, OPEN + "double-text", NOWHERE),
    ("keys(m)", {"m": {"a": 1}}, ["a"], HELPERS),
    ("keys(l)", {"l": [1]}, FAILED, HELPERS),
    ('len("hello")', {}, 5, CHEAT_SHEET),
    ("len(s)", {"s": "h\u00e9\u00f1"}, 3, HELPERS),
    ("len(l)", {"l": [1, 2, 3]}, 3, HELPERS),
    ("len(m)", {"m": {"a": 1, "b": 2}}, 2, HELPERS),
    ("len(1)", {}, FAILED, HELPERS),
    ("len(s)", {"s": "\U0001f600"}, OPEN + "characters", NOWHERE),
    ("default(null, 3)", {}, 3, HELPERS),
    ("default(z, 5)", {"z": 0}, 0, HELPERS),
    ("default(z, true)", {"z": False}, False, HELPERS),
    ('default(z, "d")', {"z": ""}, "", HELPERS),
    ('if(2 > 1, "y", "n")', {}, "y", HELPERS),
    ('if(n, "y", "n")', {"n": None}, "n", HELPERS),
    ('if(false, "y", "n")', {}, "n", HELPERS),
    ('if(1, "y", "n")', {}, FAILED, HELPERS),
    ("if(true, 1, 1 / z)", {"z": 0}, OPEN + "eager-if", NOWHERE),
    ("if(false, 1, m.x)", {"m": {}}, FAILED, HELPERS),
    ("get_type(1)", {}, "integer", HELPERS),
    ("get_type(1.5)", {}, "double", HELPERS),
    ("get_type(true)", {}, "boolean", HELPERS),
    ('get_type("s")', {}, "string", HELPERS),
    ("get_type(l)", {"l": []}, "list", HELPERS),
    ("get_type(m)", {"m": {}}, "map", HELPERS),
    ("get_type(null)", {}, "null", HELPERS),
    ('get_type(text.encode("a"))', {}, "bytes", HELPERS),
]

ACCESS: list[Row] = [
    ("m.a", {"m": {"a": 1}}, 1, EXPRESSIONS),
    ('m["a b"]', {"m": {"a b": 1}}, 1, EXPRESSIONS),
    ("m[k]", {"m": {"a": 1}, "k": "a"}, 1, EXPRESSIONS),
    ('m["a" + "b"]', {"m": {"ab": 1}}, 1, EXPRESSIONS),
    ("l[0]", {"l": [1, 2]}, 1, EXPRESSIONS),
    ("l[i + 1]", {"l": [1, 2], "i": 0}, 2, EXPRESSIONS),
    ("l[len(l) - 1]", {"l": [1, 2]}, 2, CHEAT_SHEET),
    ("l[0][1]", {"l": [[1, 2]]}, 2, CHEAT_SHEET),
    ("[1, 2][1]", {}, 2, EXPRESSIONS),
    ('["-c", "x" + a]', {"a": "y"}, ["-c", "xy"], EXPRESSIONS),
    ("m.b", {"m": {"a": 1}}, FAILED, EXPRESSIONS),
    ("l[5]", {"l": [1]}, FAILED, EXPRESSIONS),
    ("s.a", {"s": "x"}, FAILED, EXPRESSIONS),
    ("l[a]", {"l": [1], "a": "x"}, FAILED, EXPRESSIONS),
    ("l[-1]", {"l": [1, 2]}, OPEN + "negative-index", NOWHERE),
    ("s[0]", {"s": "abc"}, OPEN + "text-index", NOWHERE),
    ("l[0.5]", {"l": [1]}, OPEN + "index-type", NOWHERE),
]

TEXTS: list[Row] = [
    ('"say \\"hi\\""', {}, 'say "hi"', EXPRESSIONS),
    ('"a\\nb"', {}, "a\nb", EXPRESSIONS),
    ('"a\\\\b"', {}, "a\\b", EXPRESSIONS),
    ('"a}b"', {}, "a}b", EXPRESSIONS),
    ('"${a}"', {}, "${a}", EXPRESSIONS),
    ('"a: b # c"', {}, "a: b # c", EXPRESSIONS),
    ("'a'", {}, REFUSED, "token recognition error, seen on the service"),
    ('"a', {}, REFUSED, EXPRESSIONS),
    ('{"a": 1}', {}, REFUSED, EXPRESSIONS),
    ("1 +", {}, REFUSED, EXPRESSIONS),
    ("1 2", {}, REFUSED, EXPRESSIONS),
    ("a == b", {"a": 1}, REFUSED, "troubleshooting: symbol is neither a variable"),
    ("nope(1)", {}, REFUSED, "troubleshooting"),
    ("len(1, 2)", {}, REFUSED, HELPERS),
    ("len()", {}, REFUSED, HELPERS),
    ("a = 1", {"a": 1}, REFUSED, EXPRESSIONS),
    ("a && b", {"a": True, "b": True}, REFUSED, EXPRESSIONS),
    ("a ** 2", {"a": 2}, REFUSED, EXPRESSIONS),
    ("a[1:2]", {"a": [1]}, REFUSED, EXPRESSIONS),
    ("9223372036854775808", {}, REFUSED, DATATYPES),
]

TABLES = {
    "addition": ADDITION, "arithmetic": ARITHMETIC, "precedence": PRECEDENCE,
    "comparison": COMPARISON, "logic": LOGIC, "helpers": HELPER, "access": ACCESS, "texts": TEXTS,
}  # fmt: skip


@pytest.mark.parametrize("row", [
    pytest.param(row, id=f"{name}-{number}") for name, rows in TABLES.items()
    for number, row in enumerate(rows)
])  # fmt: skip
def test_an_expression_has_its_documented_value(row: Row) -> None:
    expression, variables, expected, _source = row
    value = evaluated(expression, variables)
    assert (value, type(value)) == (expected, type(expected)), expression


ERROR_TYPES = "https://cloud.google.com/workflows/docs/reference/syntax/error-types"


@pytest.mark.parametrize(("expression", "variables", "tag"), [
    ("m.nope", {"m": {}}, "KeyError"),
    ('m["nope"]', {"m": {}}, "KeyError"),
    ("l[3]", {"l": []}, "IndexError"),
    ("1 / z", {"z": 0}, "ZeroDivisionError"),
    ("1 // z", {"z": 0}, "ZeroDivisionError"),
    ("1 % z", {"z": 0}, "ZeroDivisionError"),
    ("true + 1", {}, "TypeError"),
    ("s and true", {"s": "x"}, "TypeError"),
    ("not s", {"s": "x"}, "TypeError"),
    ('int("x")', {}, "ValueError"),
    ('json.decode("{")', {}, "ValueError"),
    ("text.to_upper(1)", {}, "TypeError"),
])  # fmt: skip
def test_an_error_has_its_documented_tag(
    expression: str, variables: dict[str, object], tag: str
) -> None:
    """See ERROR_TYPES."""
    assert tags(expression, variables) == [tag]
