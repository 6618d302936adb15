"""Values of a workflow's text: literals, `${...}`, and lists and maps of them; targets too."""

from typing import Final, final

from perdure_gcp.workflows.document import Entries, Items, Node, Scalar
from perdure_gcp.workflows.expression import Constant, Expression, Field, Index, Name
from perdure_gcp.workflows.limits import value_of
from perdure_gcp.workflows.parse import SyntaxFault, parse
from perdure_gcp.workflows.problems import Position, Problem
from perdure_gcp.workflows.syntax import (
    Assignment,
    Computed,
    Literal,
    Template,
    TemplateList,
    TemplateMap,
)

__all__ = ["Templates"]

_SMALLEST: Final = -(2**63)
_LARGEST: Final = 2**63 - 1


@final
class Templates:
    """Reads values and targets, and reports what is wrong with them."""

    def __init__(self, problems: list[Problem]) -> None:
        self._problems = problems

    def _error(self, place: Position, message: str, help: str) -> None:
        self._problems.append(Problem("error", place, message, help))

    def _open(self, place: Position, message: str, help: str) -> None:
        self._problems.append(Problem("unverified", place, message, help))

    def read(self, node: Node) -> Template:
        """The value that a node stands for."""
        match node:
            case Scalar(value=str(text)):
                return self._text(text, node)
            case Scalar(value=int(value)) if not _SMALLEST <= value <= _LARGEST:
                self._error(node.position, "an integer has 64 bits", "write a double")
                return Literal(0, node.position)
            case Scalar(value=value):
                return Literal(value, node.position)
            case Items(items=items):
                read = tuple(self.read(item) for item in items)
                values = [item.value for item in read if isinstance(item, Literal)]
                if len(values) == len(read):
                    return Literal(values, node.position)
                return TemplateList(read, node.position)
            case Entries():
                return self._map(node)

    def _map(self, node: Entries) -> Template:
        pairs = tuple((self._key(key), self.read(value)) for key, value in node)
        whole = {
            str(key.value): value.value
            for key, value in pairs
            if isinstance(key, Literal) and isinstance(value, Literal)
        }
        if len(whole) == len(pairs):
            return Literal(whole, node.position)
        return TemplateMap(pairs, node.position)

    def _key(self, node: Scalar) -> Template:
        """A key: text, an expression, or a number (which the page on iteration uses)."""
        if isinstance(node.value, str):
            return self._text(node.value, node)
        if isinstance(node.value, float | bool) or node.value is None:
            message = f"the key `{node.value}` is no text"
            self._open(node.position, message, "put it in quotes")
        return Literal(str(node.value), node.position)

    def _text(self, text: str, node: Scalar) -> Template:
        place = node.position
        inner = text.strip()
        if inner.startswith("${") and inner.endswith("}"):
            if text.rstrip("\n") != inner:
                message = "blanks around `${...}`: it may be taken as plain text"
                self._open(place, message, "begin with `${` and end with `}`")
            shift = node.offset + len(text) - len(text.lstrip()) + 2
            return self._expression(inner, place, shift)
        if "${" in text:
            message = "`${...}` is replaced only when it is the whole value"
            self._open(place, message, 'write ${"text " + name}')
        if len(text.encode("utf-8", "surrogatepass")) > value_of("text_bytes"):
            self._error(place, "a text has at most 256 KB", "keep it elsewhere")
        return Literal(text, place)

    def _expression(self, whole: str, place: Position, shift: int) -> Template:
        # Whether `${` and `}` count is not documented: a longer text is wrong in any case, one
        # that only its braces make too long may be.
        most, text = value_of("expression_characters"), whole[2:-1]
        if len(text) > most:
            message = f"an expression has at most {most} characters, this one {len(text)}"
            self._error(place, message, "assign parts of it to variables")
        elif len(whole) > most:
            message = f"with `${{}}` this expression has more than {most} characters"
            self._open(place, message, "assign parts of it to variables")
        tree = self._parsed(text, place, shift)
        return Computed(tree, text, place) if tree is not None else Literal(None, place)

    def _parsed(self, text: str, place: Position, shift: int) -> Expression | None:
        def at(offset: int) -> Position:
            lines = text[:offset].split("\n")
            if len(lines) > 1:
                return Position(place.line + len(lines) - 1, 1)
            return Position(place.line, place.column + shift + offset)

        def doubt(what: str, offset: int) -> None:
            self._open(at(offset), f"{what} is not documented", "write it otherwise")

        try:
            return parse(text, doubt)
        except SyntaxFault as fault:
            self._error(at(fault.at), str(fault), fault.help)
            return None

    def assignment(self, node: Node) -> Assignment | None:
        """`name: value` or `name.key[index]: value`."""
        if not isinstance(node, Entries) or len(node.entries) != 1:
            help = "write `- name: value`, each on a line of its own"
            self._error(node.position, "an assignment is a map with one key", help)
            return None
        key, value = node.entries[0]
        tree = self._parsed(str(key.value), key.position, key.offset)
        path: list[Expression] = []
        while tree is not None and not isinstance(tree, Name):
            if isinstance(tree, Field):
                path.append(Constant(tree.name))
            elif isinstance(tree, Index):
                path.append(tree.key)
            else:
                message = f"`{key.value}` cannot be assigned to"
                self._error(key.position, message, "write a variable, or a part of one")
                return None
            tree = tree.base
        template = self.read(value)
        if tree is None:
            return None
        return Assignment(tree.name, tuple(reversed(path)), template, key.position)
