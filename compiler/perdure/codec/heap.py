"""The two walkers: values to JSON and back, each with the heap that makes sharing survive.

One call is one heap. The encoder remembers the JSON of every object that has identity; at a second
occurrence it writes `{"@": "ref", "n": 1}` and, when all is written, wraps the first occurrence:
`{"@": "def", "n": 1, "v": ...}`. A value without sharing holds neither. The decoder reads a
reference whose definition comes later too, so it does not depend on the order of keys.
"""

from collections.abc import Callable, Mapping
from typing import Any, final

from perdure.codec.faults import CorruptValue, UncodableError
from perdure.codec.functions import FunctionTable
from perdure.codec.names import ClassResolver
from perdure.codec.text import Json

MAX_DEPTH = 200
"""Deepest nesting that crosses: well under the recursion limit, the same on every engine."""

MAX_INT = 2**53 - 1

# Any: a handler is picked by the exact type of the value it is then given.
type Writer = Callable[[Encoder, Any], Json]
type Reader = Callable[[Decoder, dict[str, Json], int], object]


@final
class Encoder:
    """Values to JSON on one heap."""

    __slots__ = ("depth", "functions", "kept", "live", "memo", "ordered", "shared", "writer_of")

    def __init__(
        self,
        writer_of: Callable[[type], Writer],
        *,
        ordered: bool,
        functions: FunctionTable | None,
        live: bool = False,
    ) -> None:
        self.live = live
        """Whether what only lives inside of a run crosses too (`__perdure_live__`)."""
        self.writer_of = writer_of
        self.ordered = ordered
        self.functions = functions
        self.depth = 0
        self.memo: dict[int, Json] = {}
        self.shared: dict[int, int] = {}
        self.kept: list[object] = []

    def write(self, value: object) -> Json:
        """JSON of one value on this heap, its shared parts not yet wrapped (see `link`)."""
        kind = type(value)
        if kind is str and isinstance(value, str):
            return value if value.isascii() else write_text(value)
        if value is None or value is True or value is False:
            return value
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise UncodableError(kind.__qualname__, f"it is nested over {MAX_DEPTH} levels deep")
        node = self.writer_of(kind)(self, value)
        self.depth -= 1
        return node

    def seen(self, value: object) -> Json:
        """The reference to an object written before, None for a new one."""
        node = self.memo.get(id(value))
        if node is None:
            return None
        return {"@": "ref", "n": self.shared.setdefault(id(node), len(self.shared) + 1)}

    def mark(self) -> tuple[dict[int, Json], dict[int, int], int]:
        """The state to go `back` to when a part may be left out."""
        return dict(self.memo), dict(self.shared), self.depth

    def back(self, mark: tuple[dict[int, Json], dict[int, int], int]) -> None:
        """Forget what was written since the mark."""
        self.memo, self.shared, self.depth = mark

    def link(self, root: Json) -> Json:
        """Wrap the first occurrence of every object that has references."""
        if not self.shared:
            return root
        todo = [root]
        while todo:
            holder = todo.pop()
            if isinstance(holder, list):
                for index, child in enumerate(holder):
                    if isinstance(child, (list, dict)):
                        holder[index] = self._wrapped(child)
                        todo.append(child)
            elif isinstance(holder, dict):
                for key, child in holder.items():
                    if isinstance(child, (list, dict)):
                        holder[key] = self._wrapped(child)
                        todo.append(child)
        return self._wrapped(root)

    def _wrapped(self, node: Json) -> Json:
        number = self.shared.get(id(node))
        return node if number is None else {"@": "def", "n": number, "v": node}


def write_text(text: str) -> Json:
    """A str as itself, or escaped when it holds lone surrogates, which UTF-8 cannot carry."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return {"@": "str", "v": text.encode("unicode_escape").decode("ascii")}
    return text


@final
class Decoder:
    """JSON to values on one heap."""

    __slots__ = ("classes", "defined", "functions", "heap", "readers", "root")

    def __init__(
        self,
        root: Json,
        readers: Mapping[str, Reader],
        *,
        classes: ClassResolver,
        functions: FunctionTable | None,
    ) -> None:
        self.root = root
        self.readers = readers
        self.classes = classes
        self.functions = functions
        self.heap: dict[int, object] = {}
        self.defined: dict[int, dict[str, Json]] | None = None

    def read(self, node: Json) -> object:
        """The value of one piece of JSON."""
        if isinstance(node, dict):
            tag = node.get("@")
            if tag is None:
                return {key: self.read(item) for key, item in node.items()}
            reader = self.readers.get(tag) if isinstance(tag, str) else None
            if reader is None:
                raise CorruptValue(f"`{tag}` is no tag of the value codec")
            return reader(self, node, 0)
        if isinstance(node, list):
            return [self.read(item) for item in node]
        if isinstance(node, float) and node.is_integer():
            return int(node)  # an engine that knows only doubles; whole floats are tagged
        return node

    def define(self, node: dict[str, Json], number: int) -> object:
        """The object of a definition, registered before its parts are read."""
        if number in self.heap:
            return self.heap[number]
        inner = part(node, "v")
        if isinstance(inner, list):
            items: list[object] = []
            self.heap[number] = items
            items.extend([self.read(item) for item in inner])
            return items
        if not isinstance(inner, dict):
            raise CorruptValue("a definition holds no object")
        tag = inner.get("@")
        if tag is None:
            entries: dict[str, object] = {}
            self.heap[number] = entries
            for key, item in inner.items():
                entries[key] = self.read(item)
            return entries
        reader = self.readers.get(tag) if isinstance(tag, str) else None
        if reader is None:
            raise CorruptValue(f"`{tag}` is no tag of the value codec")
        made = reader(self, inner, number)
        self.heap[number] = made
        return made

    def refer(self, number: int) -> object:
        """The object of a reference, wherever its definition stands."""
        if number in self.heap:
            return self.heap[number]
        if self.defined is None:
            self.defined = _definitions(self.root)
        if number not in self.defined:
            raise CorruptValue(f"reference {number} has no definition")
        return self.define(self.defined[number], number)


def _definitions(root: Json) -> dict[int, dict[str, Json]]:
    found: dict[int, dict[str, Json]] = {}
    todo = [root]
    while todo:
        node = todo.pop()
        if isinstance(node, list):
            todo.extend(node)
        elif isinstance(node, dict):
            if node.get("@") in {"def", "error"} and "n" in node:
                found[whole(node["n"])] = node
            todo.extend(node.values())
    return found


def part(node: dict[str, Json], key: str) -> Json:
    """One part of a tagged form, which has to be there."""
    if key not in node:
        raise CorruptValue(f"`{node.get('@')}` has no `{key}`")
    return node[key]


def items_of(node: dict[str, Json], key: str = "v") -> list[Json]:
    """A part that is a list."""
    found = part(node, key)
    if not isinstance(found, list):
        raise CorruptValue(f"`{node.get('@')}`: `{key}` is no list")
    return found


def entries_of(node: dict[str, Json], key: str = "v") -> dict[str, Json]:
    """A part that is an object by names."""
    found = part(node, key)
    if not isinstance(found, dict):
        raise CorruptValue(f"`{node.get('@')}`: `{key}` is no object")
    return found


def text_of(node: dict[str, Json], key: str = "v") -> str:
    """A part that is text."""
    found = part(node, key)
    if not isinstance(found, str):
        raise CorruptValue(f"`{node.get('@')}`: `{key}` is no text")
    return found


def whole(node: Json) -> int:
    """A whole number, also from an engine that writes 2 as 2.0."""
    if isinstance(node, (int, float)) and node == int(node):
        return int(node)
    raise CorruptValue(f"{node!r} is no whole number")
