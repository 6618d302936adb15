"""A workflow's text as a tree with positions.

In: YAML or JSON. Out: `Scalar`, `Items` and `Entries`, and problems. Plain scalars are read by the
core schema of YAML 1.2; where YAML 1.1 reads another value the scalar is a problem of the kind
`unverified`, since no page says which of the two Workflows follows.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, final

import yaml

from perdure_gcp.workflows.problems import DeployError, Position, Problem

__all__ = ["Entries", "Items", "Node", "Scalar", "read"]


@final
@dataclass(frozen=True, slots=True)
class Scalar:
    """One value; `offset` is how far behind its position the text begins (a quote)."""

    value: bool | int | float | str | None
    position: Position
    offset: int = 0


@final
@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    items: tuple["Node", ...]
    position: Position


@final
@dataclass(frozen=True, slots=True)
class Entries:
    """A map, in the order of the source."""

    entries: tuple[tuple[Scalar, "Node"], ...]
    position: Position

    def __iter__(self) -> Iterator[tuple[Scalar, "Node"]]:
        return iter(self.entries)


type Node = Scalar | Items | Entries

_NULL: Final = re.compile(r"null|Null|NULL|~|")
_BOOL: Final = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT: Final = re.compile(r"[-+]?[0-9]+")
_BASED: Final = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL: Final = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_DISPUTED: Final = re.compile(
    r"[yY]es|YES|[nN]o|NO|[oO]n|ON|[oO]ff|OFF"  # booleans of YAML 1.1
    r"|[-+]?0[0-9_]+|0o[0-7]+|[-+]?0b[01_]+|[-+]?[0-9][0-9,]*_[0-9_]*(\.[0-9_]*)?"
    r"|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?"  # sexagesimal
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?"  # timestamps
    r"|[-+]?([0-9][0-9_]*)(\.[0-9]*)?[eE][0-9]+|[-+]?[0-9]+[eE][-+]?[0-9]+|=|<<"
)
_PAIR: Final = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read(source: str, problems: list[Problem]) -> Node:
    """The tree of `source`; raises `DeployError` when it is no YAML at all."""
    if source.lstrip().startswith(("{", "[")):
        # JSON writes characters beyond the basic plane as two escapes, YAML knows none such.
        source = _PAIR.sub(lambda pair: _joined(pair.group()), source)
    try:
        root = yaml.compose(source, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Position(mark.line + 1, mark.column + 1) if mark else Position(1, 1)
        message = f"this is no YAML: {error.problem or error.context}"
        help = "quote texts that hold `: `, `#` or `${` with single quotes"
        raise DeployError([Problem("error", place, message, help)], source) from None
    except yaml.YAMLError as error:
        problem = Problem("error", Position(1, 1), f"this is no YAML: {error}", "remove it")
        raise DeployError([problem], source) from None
    if root is None:
        problem = Problem("error", Position(1, 1), "the file is empty", "write `main:`")
        raise DeployError([problem], source)
    if any(isinstance(event, yaml.AliasEvent) for event in _events(source)):
        message = "anchors and aliases are not documented for Workflows"
        problems.append(Problem("unverified", Position(1, 1), message, "write the value out"))
    return _node(root, problems)


def _joined(escapes: str) -> str:
    halves = bytes.fromhex(escapes.replace("\\u", ""))
    return halves.decode("utf-16-be")


def _events(source: str) -> Iterator[yaml.Event]:
    if "*" in source and "&" in source:
        yield from yaml.parse(source, Loader=_LOADER)


def _node(node: yaml.Node, problems: list[Problem]) -> Node:
    place = Position(node.start_mark.line + 1, node.start_mark.column + 1)
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node, place, problems)
    if isinstance(node, yaml.SequenceNode):
        return Items(tuple(_node(item, problems) for item in node.value), place)
    assert isinstance(node, yaml.MappingNode)
    entries: list[tuple[Scalar, Node]] = []
    seen: set[object] = set()
    for key, value in node.value:
        read_key = _node(key, problems)
        if not isinstance(read_key, Scalar):
            problems.append(Problem("error", read_key.position, "a key is text", "write text"))
            continue
        if str(read_key.value) in seen:
            message = f"the key `{read_key.value}` is there twice"
            problems.append(Problem("error", read_key.position, message, "remove one of them"))
        seen.add(str(read_key.value))
        entries.append((read_key, _node(value, problems)))
    return Entries(tuple(entries), place)


def _scalar(node: yaml.ScalarNode, place: Position, problems: list[Problem]) -> Scalar:
    text = node.value
    if node.style:
        return Scalar(text, place, 1 if node.style in "'\"" else 0)
    if node.tag.startswith("!"):
        problems.append(Problem("unverified", place, f"the tag {node.tag}", "remove the tag"))
    if _DISPUTED.fullmatch(text):
        message = f"`{text}` is read differently by YAML 1.1 and 1.2"
        problems.append(Problem("unverified", place, message, f"write '{text}' or a plain number"))
    return Scalar(_plain(text), place)


def _plain(text: str) -> bool | int | float | str | None:
    if _NULL.fullmatch(text):
        return None
    if _BOOL.fullmatch(text):
        return text.lower() == "true"
    if _INT.fullmatch(text):
        return int(text)
    if _BASED.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _SPECIAL.fullmatch(text):
        return float(text.replace(".", ""))
    return text
