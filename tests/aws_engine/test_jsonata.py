"""Expressions as Step Functions evaluates them; where the local evaluator differs, it is corrected
or it refuses."""

import random
from datetime import UTC, datetime

import jlens
import pytest

from perdure_aws.engine import EngineCannot, Json
from perdure_aws.engine.jsonata import Evaluator, QueryError
from perdure_aws.jsonata_syntax import JsonataSyntaxError, parse

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def evaluate(source: str, **bindings: Json) -> Json:
    return Evaluator(random.Random(1)).evaluate(source, bindings, NOW)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("$hash('a', 'MD5')", "0cc175b9c0f1b6a831c399e269772661"),
        ("$partition([1, 2, 3], 2)", [[1, 2], [3]]),
        ("$range(0, 10, 5)", [0, 5, 10]),
        ("$range(3, 1, -1)", [3, 2, 1]),
        ("$parse('{\"a\": [1, null]}')", {"a": [1, None]}),
        ("$random(42)", 0.7275636800328681),
        ("$now()", "2026-01-01T12:00:00.000Z"),
        ("$millis()", 1767268800000),
        ("6 / 3", 2),
        ("[[1], [[2]]]", [[1], [[2]]]),
        ("$x", None),
        ("7 % 4", 3),
        ("[7 % $four, 8 / ($four / 2) % 3]", [3, 1]),
    ],
)
def test_values(source: str, value: Json) -> None:
    found = evaluate(source, x=None, four=4)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("1 / $zero", "Infinity"),
        ("-1 / $zero", "-Infinity"),
        ("$zero / $zero", "NaN"),
        ("1e308 * 10", "Infinity"),
        ("1 % $zero", "NaN"),
    ],
)
def test_numbers_out_of_range_leave_as_aws_s_texts(source: str, text: str) -> None:
    assert evaluate(source, zero=0) == text


@pytest.mark.parametrize(
    "source",
    ["[1 / 0]", "$string(1 / 0)", "[1 % $zero]", "$sum([$zero / $zero])", "$parse(\"{'a': 1}\")"],
)
def test_what_the_evaluator_cannot_know_is_refused(source: str) -> None:
    with pytest.raises(EngineCannot):
        evaluate(source, zero=0, x=3)


@pytest.mark.parametrize(
    "source",
    ["$nope", "$states.input.nope", "function($x) { $x }", "$error('no')", "$parse('NaN')",
     "$parse('{\"a\": 1, \"a\": 2}')", "$hash('a', 'sha1')", "'a' + 1", "$count2(1)",
     "+".join(["1"] * 150)],
)  # fmt: skip
def test_what_fails_is_a_query_error(source: str) -> None:
    with pytest.raises(QueryError):
        evaluate(source, states={"input": {}})


def test_a_hundred_terms_are_too_deep_and_ninety_are_not() -> None:
    assert evaluate("+".join(["1"] * 90)) == 90


@pytest.mark.parametrize("source", ["$a ?? 1", "$a ?: 1"])
def test_operators_newer_than_2_0_6_are_no_jsonata(source: str) -> None:
    jlens.Expression(source)
    with pytest.raises(JsonataSyntaxError):
        parse(source)


SYNTAX = [
    "a.b[c=1]^(>d, <e){'k': v}",
    "/ab[/]c/i.match('x')",
    "$map($xs, function($v, $i) <nn:n> { ($t := $v; $t & $i) })",
    "$x ~> |a.b|{'c': 1}, ['d']|",
    "`quoted name`.x /* a comment */ + 1",
    "a.%.b@$c#$i[$i = 1]",
    "$f(?, 1)(2)",
    "x ? y : z ? 1",
    "'it\\'s'",
    "-$x.y * -3",
    "**.name",
    "[1..$n]",
    "λ($x){$x}(1)",
    "and.or.in",
    "a and b or c in d",
    "a.(b; c)",
    "{'a': 1, 'b': [ ]}",
    "a[]",
    "1 +",
    "(1",
    "'open",
    "a b",
    "{'a' 1}",
    "[1,",
    "/open",
    "`open",
    "/* open",
    "$x := ",
    "1 := 2",
    "function(x){1}",
    "'\\q'",
    "a.",
    "",
    ")",
]


@pytest.mark.parametrize("source", SYNTAX)
def test_our_parser_accepts_what_the_evaluator_accepts(source: str) -> None:
    def accepted(compile_: object) -> bool:
        try:
            compile_(source)  # type: ignore[operator]
        except (jlens.JlensError, JsonataSyntaxError):
            return False
        return True

    assert accepted(parse) == accepted(jlens.Expression)
