"""JSONata 2.0.6's grammar, as Step Functions accepts it: text in, a small tree out.

Only what the checks and the engine need is kept: who is read (variables, fields, the context),
what is called, which operator stands where, and the span of every node. `??` and `?:` are newer
than 2.0.6 and are syntax errors here, as they are on AWS (measured: sfnx docs/design.md).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, final

from perdure_aws.jsonata_tokens import JsonataSyntaxError, Scanner, Token

__all__ = [
    "Binary",
    "Call",
    "Context",
    "Expression",
    "Field",
    "JsonataSyntaxError",
    "Node",
    "Number",
    "Other",
    "Text",
    "Variable",
    "parse",
    "walk",
]


@final
@dataclass(frozen=True, slots=True)
class Number:
    """A number literal."""

    value: float
    start: int
    end: int


@final
@dataclass(frozen=True, slots=True)
class Text:
    """A string literal."""

    value: str
    start: int
    end: int


@final
@dataclass(frozen=True, slots=True)
class Variable:
    """`$name`."""

    name: str
    start: int
    end: int


@final
@dataclass(frozen=True, slots=True)
class Context:
    """`$` or `$$`."""

    name: str
    start: int
    end: int


@final
@dataclass(frozen=True, slots=True)
class Field:
    """A bare name, `*`, `**` or `%` in operand position: read from the context document."""

    name: str
    start: int
    end: int


@final
@dataclass(frozen=True, slots=True)
class Binary:
    """`left operator right`; `.` and `[` (a filter or index) too."""

    operator: str
    left: "Node"
    right: "Node"
    start: int
    end: int


@final
@dataclass(frozen=True, slots=True)
class Call:
    """`function(arguments)`, also a partial application."""

    function: "Node"
    arguments: tuple["Node", ...]
    start: int
    end: int


@final
@dataclass(frozen=True, slots=True)
class Other:
    """Everything else: its kind and its parts. A lambda's `names` are its parameters."""

    kind: str
    parts: tuple["Node", ...]
    start: int
    end: int
    names: tuple[str, ...] = ()


type Node = Number | Text | Variable | Context | Field | Binary | Call | Other


@final
@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression: its tree and the names of all variables in it."""

    source: str
    root: Node
    variables: frozenset[str] = field(default_factory=frozenset[str])


def walk(node: Node) -> Iterator[Node]:
    """`node` and everything below it."""
    yield node
    for part in parts(node):
        yield from walk(part)


def parts(node: Node) -> tuple[Node, ...]:
    """The direct parts of `node`."""
    match node:
        case Binary(left=left, right=right):
            return (left, right)
        case Call(function=function, arguments=arguments):
            return (function, *arguments)
        case Other(parts=inner):
            return inner
        case _:
            return ()


@lru_cache(maxsize=4096)
def parse(source: str) -> Expression:
    """Parse, or raise `JsonataSyntaxError`."""
    parser = _Parser(source)
    root = parser.expression(0)
    if parser.token.kind != "end":
        raise JsonataSyntaxError(f"unexpected {parser.token.text!r}", parser.token.start)
    names = frozenset(node.name for node in walk(root) if isinstance(node, Variable))
    return Expression(source, root, names)


_POWER: Final = {
    ".": 75, "[": 80, "{": 70, "(": 80, "@": 80, "#": 80, "+": 50, "-": 50, "*": 60, "/": 60,
    "%": 60, "=": 40, "<": 40, ">": 40, "^": 40, "!=": 40, "<=": 40, ">=": 40, "~>": 40,
    "and": 30, "or": 25, "in": 40, "&": 50, "..": 20, "?": 20, ":=": 10,
}  # fmt: skip


class _Parser:
    """Top-down operator precedence, as the reference implementation does it."""

    def __init__(self, source: str) -> None:
        self.scanner = Scanner(source)
        self.token = self.scanner.next(operand=True)

    def advance(self, expected: str | None = None, *, operand: bool = False) -> Token:
        token = self.token
        if expected is not None and (
            token.kind not in ("operator", "word") or token.text != expected
        ):
            raise JsonataSyntaxError(f"expected {expected!r}, got {token.text!r}", token.start)
        self.token = self.scanner.next(operand=operand)
        return token

    def at(self, text: str) -> bool:
        return self.token.kind == "operator" and self.token.text == text

    def expression(self, power: int) -> Node:
        left = self.operand()
        while power < self.power():
            left = self.operator(left)
        return left

    def power(self) -> int:
        return _POWER.get(self.token.text, 0) if self.token.kind in ("operator", "word") else 0

    def operand(self) -> Node:
        token = self.token
        if token.kind == "end":
            raise JsonataSyntaxError("the expression ends too early", token.start)
        if token.kind == "operator":
            return self.prefix()
        if (token.kind == "name" and token.text == "function") or token.text == "λ":
            self.advance()
            if self.at("("):
                return self.function(token)
            return Field(token.text, token.start, token.end)
        self.advance()
        match token.kind:
            case "number":
                return Number(float(token.text), token.start, token.end)
            case "string":
                return Text(token.text, token.start, token.end)
            case "variable" if token.text in ("$", "$$"):
                return Context(token.text, token.start, token.end)
            case "variable":
                return Variable(token.text[1:], token.start, token.end)
            case "value" | "regex":
                return Other(token.kind, (), token.start, token.end)
            case _:
                return Field(token.text, token.start, token.end)

    def prefix(self) -> Node:
        token = self.advance(operand=True)
        match token.text:
            case "-":
                inner = self.expression(70)
                return Other("-", (inner,), token.start, inner.end)
            case "*" | "**" | "%":
                self._again_as_operator(token)
                return Field(token.text, token.start, token.end)
            case "(":
                inside = self.sequence(")", ";")
                return Other("block", inside, token.start, self.close(")"))
            case "[":
                inside = self.sequence("]", ",")
                return Other("array", inside, token.start, self.close("]"))
            case "{":
                inside = self.pairs()
                return Other("object", inside, token.start, self.close("}"))
            case "|":
                return self.transform(token)
            case _:
                raise JsonataSyntaxError(f"{token.text!r} cannot begin an operand", token.start)

    def _again_as_operator(self, token: Token) -> None:
        self.scanner.index = token.end
        self.token = self.scanner.next(operand=False)

    def close(self, text: str) -> int:
        end = self.token.end
        self.advance(text)
        return end

    def sequence(self, stop: str, separator: str) -> tuple[Node, ...]:
        found = list[Node]()
        while not self.at(stop):
            found.append(self.expression(0))
            if not self.at(separator):
                break
            self.advance(operand=True)
            if separator == "," and self.at(stop):
                raise JsonataSyntaxError(f"unexpected {stop!r}", self.token.start)
        return tuple(found)

    def pairs(self) -> tuple[Node, ...]:
        found = list[Node]()
        while not self.at("}"):
            found.append(self.expression(0))
            self.advance(":", operand=True)
            found.append(self.expression(0))
            if not self.at(","):
                break
            self.advance(operand=True)
        return tuple(found)

    def transform(self, token: Token) -> Node:
        inside = [self.expression(0)]
        self.advance("|", operand=True)
        inside.append(self.expression(0))
        if self.at(","):
            self.advance(operand=True)
            inside.append(self.expression(0))
        return Other("transform", tuple(inside), token.start, self.close("|"))

    def function(self, token: Token) -> Node:
        self.advance("(", operand=True)
        names = list[str]()
        while not self.at(")"):
            if self.token.kind != "variable":
                raise JsonataSyntaxError("a parameter must be a variable", self.token.start)
            names.append(self.advance().text[1:])
            if not self.at(","):
                break
            self.advance(operand=True)
        self.advance(")")
        if self.at("<"):
            self._signature()
        self.advance("{", operand=True)
        body = self.expression(0)
        return Other("lambda", (body,), token.start, self.close("}"), tuple(names))

    def _signature(self) -> None:
        depth = 0
        while self.token.kind != "end":
            depth += (self.token.text == "<") - (self.token.text == ">")
            self.advance()
            if depth == 0:
                return
        raise JsonataSyntaxError("a signature without its end", self.token.start)

    def operator(self, left: Node) -> Node:
        token = self.token
        match token.text:
            case "(":
                return self.call(left)
            case "[":
                self.advance(operand=True)
                if self.at("]"):
                    return Other("keep", (left,), left.start, self.close("]"))
                right = self.expression(0)
                return Binary("[", left, right, left.start, self.close("]"))
            case "{":
                self.advance(operand=True)
                inside = self.pairs()
                return Other("group", (left, *inside), left.start, self.close("}"))
            case "^":
                return self.order(left)
            case "?":
                return self.condition(left)
            case ":=":
                if not isinstance(left, Variable):
                    raise JsonataSyntaxError("only a variable can be bound", left.start)
                self.advance(operand=True)
                right = self.expression(9)
                return Binary(":=", left, right, left.start, right.end)
            case _:
                self.advance(operand=True)
                right = self.expression(_POWER[token.text])
                return Binary(token.text, left, right, left.start, right.end)

    def call(self, function: Node) -> Node:
        self.advance("(", operand=True)
        arguments = list[Node]()
        while not self.at(")"):
            if self.at("?"):
                hole = self.advance()
                arguments.append(Other("hole", (), hole.start, hole.end))
            else:
                arguments.append(self.expression(0))
            if not self.at(","):
                break
            self.advance(operand=True)
        return Call(function, tuple(arguments), function.start, self.close(")"))

    def order(self, left: Node) -> Node:
        self.advance("^", operand=True)
        self.advance("(", operand=True)
        terms = list[Node]()
        while True:
            if self.at("<") or self.at(">"):
                self.advance(operand=True)
            terms.append(self.expression(0))
            if not self.at(","):
                break
            self.advance(operand=True)
        return Other("order", (left, *terms), left.start, self.close(")"))

    def condition(self, left: Node) -> Node:
        self.advance("?", operand=True)
        chosen = self.expression(0)
        if not self.at(":"):
            return Other("condition", (left, chosen), left.start, chosen.end)
        self.advance(":", operand=True)
        otherwise = self.expression(0)
        return Other("condition", (left, chosen, otherwise), left.start, otherwise.end)
