"""The grammar of expressions: what is printed is read back, and means the same."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure_gcp.workflows.expression import (
    Binary,
    Call,
    Constant,
    Expression,
    Field,
    Index,
    ListOf,
    Name,
    Unary,
    unparse,
)
from perdure_gcp.workflows.parse import SyntaxFault, parse

NAMES = st.sampled_from(["a", "b1", "_c", "map", "text"])
LEAVES: st.SearchStrategy[Expression] = st.one_of(
    st.builds(Name, NAMES),
    st.builds(Constant, st.integers(0, 2**63 - 1)),
    st.builds(Constant, st.floats(0.001, 1000.0).filter(lambda value: "e" not in repr(value))),
    st.builds(Constant, st.booleans() | st.none()),
    st.builds(Constant, st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]))),
)


def _larger(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    operators = st.sampled_from(["+", "-", "*", "/", "//", "%", "<", "==", "in", "and", "or"])
    arguments = st.lists(inner, max_size=3).map(tuple)
    return st.one_of(
        st.builds(Binary, operators, inner, inner),
        st.builds(Unary, st.sampled_from(["-", "not"]), inner),
        st.builds(Field, st.builds(Name, NAMES), NAMES),
        st.builds(Index, st.builds(Name, NAMES), inner),
        st.builds(ListOf, arguments),
        st.builds(Call, st.sampled_from(["f", "text.split"]), arguments),
    )


TREES = st.recursive(LEAVES, _larger, max_leaves=12)


def _bare(tree: Expression) -> object:
    """The tree without places."""
    match tree:
        case Constant(value=value):
            return ("constant", type(value).__name__, value)
        case Name(name=name):
            return name
        case Field(base=base, name=name):
            return (_bare(base), ".", name)
        case Index(base=base, key=key):
            return (_bare(base), "[]", _bare(key))
        case ListOf(items=items):
            return [_bare(item) for item in items]
        case Unary(operator=operator, operand=operand):
            return (operator, _bare(operand))
        case Binary(operator=operator, left=left, right=right):
            return (_bare(left), operator, _bare(right))
        case Call(function=function, arguments=arguments):
            return (function, [_bare(argument) for argument in arguments])


@settings(max_examples=200, deadline=None)
@given(TREES)
def test_what_is_printed_is_read_back(tree: Expression) -> None:
    assert _bare(parse(unparse(tree))) == _bare(tree)


@pytest.mark.parametrize(("text", "printed"), [
    # Where a printer with too few parentheses changes the meaning.
    ("a - (b - c)", "(a - (b - c))"),
    ("a - b - c", "((a - b) - c)"),
    ("a / (b / c)", "(a / (b / c))"),
    ("a % (b * c)", "(a % (b * c))"),
    ("-(-a)", "(-(-a))"),
    ("not a == b", "((not a) == b)"),
    ("not a in b", "((not a) in b)"),
    ("-a + b", "((-a) + b)"),
    ("-a * b", "((-a) * b)"),
    ("a + b * c", "(a + (b * c))"),
    ("a < b and c or d", "(((a < b) and c) or d)"),
    ("a or b and c", "(a or (b and c))"),
    ("a < b == c", "((a < b) == c)"),
    ("a.b[c].d", "a.b[c].d"),
    ("f(a)[0].b", "f(a)[0].b"),
    ("a\n  + b", "(a + b)"),
    ("AND", None),
    ("a.b(c)", "a.b(c)"),
    ("TRUE", "true"),
    ("null", "null"),
])  # fmt: skip
def test_an_expression_is_read_by_the_documented_precedence(text: str, printed: str | None) -> None:
    """https://cloud.google.com/workflows/docs/reference/syntax/datatypes#order-operations"""
    if printed is None:
        with pytest.raises(SyntaxFault):
            parse(text)
    else:
        assert unparse(parse(text)) == printed


@pytest.mark.parametrize("text", [
    "", " ", "+", "a +", "(a", "a)", "[a", "a]", "a b", "a..b", ".a", "a.", "1.", "a[", "f(",
    "f(a,", "f(,a)", "a; b", "a ? b : c", "a := 1", "lambda x: x", "{}", "#", "@a", "a!", "`a`",
    '"', "'a'",
    "a is b", "a not in b", "a << 1", "a & b", "~a", "a ** b", "x'", "1a", "f()(a)", "0x1F",
])  # fmt: skip
def test_what_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(SyntaxFault):
        parse(text)
