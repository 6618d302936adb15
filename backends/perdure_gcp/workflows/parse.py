"""From the text of an expression to its tree; nothing is ever evaluated by Python.

Precedence as documented, the highest first: `()`, `.`, `[]`, `not`, unary `-`, `* / // %`,
`+ -`, comparisons and `in` (one level), `and`, `or`.
https://cloud.google.com/workflows/docs/reference/syntax/datatypes#order-operations
"""

import re
from collections.abc import Callable
from typing import Final, NamedTuple, final

from perdure_gcp.workflows.expression import (
    Binary,
    Call,
    Constant,
    Expression,
    Field,
    Index,
    ListOf,
    Name,
    Operator,
    Unary,
    dotted,
)

__all__ = ["SyntaxFault", "parse"]

type Doubt = Callable[[str, int], None]
"""Told of a token that no page documents, and where it is."""

_TOKEN: Final = re.compile(
    r"""(?P<space>[ \t\r\n]+)
    |(?P<number>[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<string>"(?:[^"\\]|\\.)*")
    |(?P<symbol>//|<=|>=|==|!=|[-+*/%<>()\[\].,])""",
    re.VERBOSE | re.DOTALL,
)
_WORDS: Final = {
    "and": "and", "AND": "and", "or": "or", "OR": "or", "not": "not", "NOT": "not", "in": "in",
}  # fmt: skip
_CONSTANTS: Final = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    "null": None,
}
_LEVELS: Final[tuple[dict[str, Operator], ...]] = (
    {"or": "or"},
    {"and": "and"},
    {"<": "<", "<=": "<=", ">": ">", ">=": ">=", "==": "==", "!=": "!=", "in": "in"},
    {"+": "+", "-": "-"},
    {"*": "*", "/": "/", "//": "//", "%": "%"},
)
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"}
_DOCUMENTED_ESCAPES: Final = 'nt"\\'
_SMALLEST, _LARGEST = -(2**63), 2**63 - 1


@final
class SyntaxFault(Exception):  # noqa: N818, it is caught where it can happen
    """The text is no expression; `at` is the offset of what is wrong."""

    def __init__(self, message: str, at: int, help: str) -> None:
        self.at = at
        self.help = help
        super().__init__(message)


@final
class _Token(NamedTuple):
    kind: str
    """`number`, `name`, `string`, `end`, or the operator or word itself."""
    text: str
    at: int


def parse(text: str, doubt: Doubt = lambda _what, _at: None) -> Expression:
    """The tree of the text between `${` and `}`."""
    parser = _Parser(_tokens(text), doubt)
    tree = parser.level(0)
    parser.expect("end", "write one expression")
    return tree


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _stray(text, at)
        kind, found = match.lastgroup or "", match.group()
        if kind == "symbol":
            tokens.append(_Token(found, found, at))
        elif kind == "name":
            tokens.append(_Token(_WORDS.get(found, "name"), found, at))
        elif kind != "space":
            tokens.append(_Token(kind, found, at))
        at = match.end()
    return [*tokens, _Token("end", "", at)]


def _stray(text: str, at: int) -> SyntaxFault:
    character = text[at]
    if character == "'":
        return SyntaxFault("token recognition error at: `'`", at, 'write text in double quotes "')
    if character == '"':
        return SyntaxFault("this text has no end", at, 'end it with "')
    if character in "{}":
        return SyntaxFault("there are no maps in expressions", at, "assign the map to a variable")
    if character == "=":
        return SyntaxFault("`=` is no operator", at, "write `==`")
    if character in "&|!":
        return SyntaxFault(f"`{character}` is no operator", at, "write `and`, `or`, `not`")
    return SyntaxFault(f"token recognition error at: `{character}`", at, "remove it")


@final
class _Parser:
    def __init__(self, tokens: list[_Token], doubt: Doubt) -> None:
        self._tokens = tokens
        self._next = 0
        self._doubt = doubt

    @property
    def _token(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        token = self._token
        self._next += token.kind != "end"
        return token

    def expect(self, kind: str, help: str) -> _Token:
        """The next token, which has to be of that kind."""
        if self._token.kind != kind:
            raise self._unexpected(help)
        return self._take()

    def _unexpected(self, help: str) -> SyntaxFault:
        token = self._token
        what = f"`{token.text}`" if token.text else "the end of the expression"
        return SyntaxFault(f"{what} is not expected here", token.at, help)

    def level(self, level: int) -> Expression:
        """Operators of that level and the ones that bind tighter, from left to right."""
        if level == len(_LEVELS):
            return self._prefixed()
        left = self.level(level + 1)
        while (operator := _LEVELS[level].get(self._token.kind)) is not None:
            at = self._take().at
            left = Binary(operator, left, self.level(level + 1), at)
        return left

    def _prefixed(self) -> Expression:
        token = self._token
        if token.kind == "-":
            self._take()
            operand = self._prefixed()
            return Unary("-", operand, token.at)
        if token.kind == "not":
            self._take()
            if self._token.kind == "-":
                self._doubt("`not` before a minus", self._token.at)
            return Unary("not", self._prefixed(), token.at)
        return self._postfixed()

    def _postfixed(self) -> Expression:
        tree = self._primary()
        while True:
            token = self._token
            if token.kind == ".":
                self._take()
                if self._token.kind in _WORDS.values():
                    self._doubt(f"the name `{self._token.text}` after a dot", self._token.at)
                    name = self._take()
                else:
                    name = self.expect("name", 'write a key, or `["key"]`')
                tree = Field(tree, name.text, token.at)
            elif token.kind == "[":
                self._take()
                key = self.level(0)
                self.expect("]", "close the bracket")
                tree = Index(tree, key, token.at)
            elif token.kind == "(":
                function = dotted(tree)
                if function is None:
                    raise SyntaxFault("only a name can be called", token.at, "write name(...)")
                tree = Call(function, self._list_until(")"), tree.at)
            else:
                return tree

    def _list_until(self, closing: str) -> tuple[Expression, ...]:
        self._take()
        items: list[Expression] = []
        while self._token.kind != closing:
            if items:
                self.expect(",", f"write `,` or `{closing}`")
            items.append(self.level(0))
        self._take()
        return tuple(items)

    def _primary(self) -> Expression:
        token = self._token
        if token.kind == "number":
            return self._number(self._take())
        if token.kind == "string":
            return Constant(self._string(self._take()), token.at)
        if token.kind == "name":
            self._take()
            if token.text in _CONSTANTS and self._token.kind != "(":
                return Constant(_CONSTANTS[token.text], token.at)
            return Name(token.text, token.at)
        if token.kind == "(":
            self._take()
            tree = self.level(0)
            self.expect(")", "close the parenthesis")
            return tree
        if token.kind == "[":
            return ListOf(self._list_until("]"), token.at)
        raise self._unexpected("write a value here")

    def _number(self, token: _Token) -> Expression:
        if "e" in token.text.lower():
            self._doubt(f"the number {token.text}", token.at)
            return Constant(float(token.text), token.at)
        if "." in token.text:
            return Constant(float(token.text), token.at)
        value = int(token.text)
        if value > _LARGEST:
            raise SyntaxFault("an integer has 64 bits", token.at, "write a double, like 1.0")
        return Constant(value, token.at)

    def _string(self, token: _Token) -> str:
        def escaped(match: re.Match[str]) -> str:
            letter = match.group(1)
            if letter not in _DOCUMENTED_ESCAPES:
                self._doubt(f"the escape \\{letter}", token.at)
            return _ESCAPES.get(letter, "\\" + letter)

        return re.sub(r"\\(.)", escaped, token.text[1:-1], flags=re.DOTALL)
