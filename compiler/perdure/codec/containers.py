"""Built-in and `collections` containers. Each pair writes and reads one tagged form."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from perdure.codec.atoms import base64_of, bytes_of
from perdure.codec.faults import CorruptValue, UncodableError
from perdure.codec.heap import (
    Decoder,
    Encoder,
    entries_of,
    items_of,
    part,
    text_of,
    whole,
    write_text,
)
from perdure.codec.text import Json, dumps

if TYPE_CHECKING:
    from collections import Counter, OrderedDict, defaultdict, deque
    from types import SimpleNamespace

type Node = dict[str, Json]


def write_items(encoder: Encoder, values: Iterable[object], into: list[Json]) -> list[Json]:
    """JSON of each value, in order; a refusal is told with the index."""
    try:
        for value in values:
            into.append(encoder.write(value))  # noqa: PERF401, its length tells what failed
    except UncodableError as fault:
        fault.below(f"[{len(into)}]")
        raise
    return into


def write_list(encoder: Encoder, value: list[object]) -> Json:
    """`[1, 2]`, as itself."""
    ref = encoder.seen(value)
    if ref is not None:
        return ref
    node: list[Json] = []
    encoder.memo[id(value)] = node
    return write_items(encoder, value, node)


def write_tuple(encoder: Encoder, value: tuple[object, ...]) -> Json:
    """`{"@": "tuple", "v": [1, 2]}`."""
    return write_fixed(encoder, value, {"@": "tuple"}, value)


def write_fixed(encoder: Encoder, value: object, node: Node, items: Iterable[object]) -> Json:
    """An immutable holder. Only one that leads to objects with identity is worth a reference.

    CPython is free to make one object of equal constants, so a reference to a tuple of plain
    values would differ between engines that cut the source differently.
    """
    ref = encoder.seen(value)
    if ref is not None:
        return ref
    before = len(encoder.memo), len(encoder.shared)
    node["v"] = write_items(encoder, items, [])
    if (len(encoder.memo), len(encoder.shared)) != before:
        encoder.memo[id(value)] = node
    return node


def read_tuple(decoder: Decoder, node: Node, number: int) -> tuple[object, ...]:
    """Its items."""
    return tuple([decoder.read(item) for item in items_of(node)])


def plain_keys(value: Mapping[object, object]) -> bool:
    """Whether a dict may stand as a JSON object: str keys, encodable, and no `@` among them."""
    for key in value:
        if type(key) is not str or not (key.isascii() or write_text(key) is key):
            return False
    return "@" not in value


def write_dict(encoder: Encoder, value: dict[object, object]) -> Json:
    """`{"a": 1}`, as itself; with other keys `{"@": "dict", "v": [[1, "one"]]}`."""
    ref = encoder.seen(value)
    if ref is not None:
        return ref
    if (encoder.ordered and len(value) > 1) or not plain_keys(value):
        tagged: Node = {"@": "dict"}
        encoder.memo[id(value)] = tagged
        tagged["v"] = write_pairs(encoder, value.items())
        return tagged
    node: Node = {}
    encoder.memo[id(value)] = node
    key: object = None
    try:
        for key, item in value.items():
            node[str(key)] = encoder.write(item)
    except UncodableError as fault:
        fault.below(f"[{key!r}]")
        raise
    return node


def write_pairs(encoder: Encoder, pairs: Iterable[tuple[object, object]]) -> list[Json]:
    """Keys and values as pairs, which keeps their order and any type of key."""
    written: list[Json] = []
    for key, item in pairs:
        try:
            written.append([encoder.write(key), encoder.write(item)])
        except UncodableError as fault:
            fault.below(f"[{_shown(key)}]")
            raise
    return written


def _shown(key: object) -> str:
    # The default repr holds an address, which no text that engines compare may have.
    return repr(key) if type(key) in {str, int, bool, float, bytes} else type(key).__qualname__


def read_pairs(decoder: Decoder, node: Node) -> Iterator[tuple[object, object]]:
    """The pairs of `v`, each read as it is asked for."""
    for pair in items_of(node):
        if not isinstance(pair, list) or len(pair) != 2:
            raise CorruptValue(f"`{node.get('@')}` holds no pairs")
        yield decoder.read(pair[0]), decoder.read(pair[1])


def read_dict(decoder: Decoder, node: Node, number: int) -> dict[object, object]:
    """A dict of pairs."""
    made: dict[object, object] = {}
    decoder.heap[number] = made
    made.update(read_pairs(decoder, node))
    return made


def sorted_members(encoder: Encoder, members: Iterable[object]) -> list[object]:
    """Members in an order that no hash seed changes: by value if all str or int, else by JSON."""
    found = list(members)
    kinds = {type(member) for member in found}
    if kinds == {str}:
        return [*sorted(member for member in found if isinstance(member, str))]
    if kinds == {int}:
        return [*sorted(member for member in found if isinstance(member, int))]
    alone: list[tuple[str, int]] = []
    faults: list[UncodableError] = []
    for index, member in enumerate(found):
        try:
            alone.append((_alone(encoder, member), index))
        except UncodableError as fault:
            faults.append(fault)
    if faults:  # the one that any order of iteration finds
        first = min(faults, key=str)
        first.below("{}")
        raise first
    return [found[index] for _, index in sorted(alone)]


def _alone(encoder: Encoder, member: object) -> str:
    fresh = Encoder(encoder.writer_of, ordered=False, functions=encoder.functions)
    fresh.depth = encoder.depth
    return dumps(fresh.link(fresh.write(member)))


def write_set(encoder: Encoder, value: set[object]) -> Json:
    """`{"@": "set", "v": [1, 2]}`, sorted."""
    ref = encoder.seen(value)
    if ref is not None:
        return ref
    items: list[Json] = []
    node: Node = {"@": "set", "v": items}
    encoder.memo[id(value)] = node
    write_items(encoder, sorted_members(encoder, value), items)
    return node


def read_set(decoder: Decoder, node: Node, number: int) -> set[object]:
    """Its members."""
    made: set[object] = set()
    decoder.heap[number] = made
    made.update([decoder.read(item) for item in items_of(node)])
    return made


def write_frozenset(encoder: Encoder, value: frozenset[object]) -> Json:
    """`{"@": "frozenset", "v": [1, 2]}`, sorted."""
    members = sorted_members(encoder, value)
    return write_fixed(encoder, value, {"@": "frozenset"}, members)


def read_frozenset(decoder: Decoder, node: Node, number: int) -> frozenset[object]:
    """Its members."""
    return frozenset([decoder.read(item) for item in items_of(node)])


def write_bytearray(encoder: Encoder, value: bytearray) -> Json:
    """`{"@": "bytearray", "v": "aGk="}`."""
    ref = encoder.seen(value)
    if ref is not None:
        return ref
    node: Node = {"@": "bytearray", "v": base64_of(value)}
    encoder.memo[id(value)] = node
    return node


def read_bytearray(decoder: Decoder, node: Node, number: int) -> bytearray:
    """Bytes of base64."""
    return bytearray(bytes_of(text_of(node)))


def write_deque(encoder: Encoder, value: "deque[object]") -> Json:
    """`{"@": "deque", "v": [1], "m": 5}`, `m` only with a maximal length."""
    ref = encoder.seen(value)
    if ref is not None:
        return ref
    items: list[Json] = []
    node: Node = {"@": "deque", "v": items}
    if value.maxlen is not None:
        node["m"] = value.maxlen
    encoder.memo[id(value)] = node
    write_items(encoder, value, items)
    return node


def read_deque(decoder: Decoder, node: Node, number: int) -> "deque[object]":
    """Its items, under its maximal length."""
    from collections import deque

    made: deque[object] = deque(maxlen=whole(node["m"]) if "m" in node else None)
    decoder.heap[number] = made
    made.extend([decoder.read(item) for item in items_of(node)])
    return made


def write_counter(encoder: Encoder, value: "Counter[object]") -> Json:
    """`{"@": "counter", "v": [["a", 2]]}`."""
    ref = encoder.seen(value)
    if ref is not None:
        return ref
    node: Node = {"@": "counter"}
    encoder.memo[id(value)] = node
    node["v"] = write_pairs(encoder, value.items())
    return node


def read_counter(decoder: Decoder, node: Node, number: int) -> object:
    """A Counter of pairs."""
    from collections import Counter

    # Any: the counts of a Counter may be anything, which its type does not say.
    counter: Counter[Any] = Counter()
    made: Any = counter
    decoder.heap[number] = made
    for key, count in read_pairs(decoder, node):
        made[key] = count  # Counter.update would add
    result: object = made
    return result


def write_ordered(encoder: Encoder, value: "OrderedDict[object, object]") -> Json:
    """`{"@": "odict", "v": [["a", 1]]}`."""
    ref = encoder.seen(value)
    if ref is not None:
        return ref
    node: Node = {"@": "odict"}
    encoder.memo[id(value)] = node
    node["v"] = write_pairs(encoder, value.items())
    return node


def read_ordered(decoder: Decoder, node: Node, number: int) -> "OrderedDict[object, object]":
    """An OrderedDict of pairs."""
    from collections import OrderedDict

    made: OrderedDict[object, object] = OrderedDict()
    decoder.heap[number] = made
    made.update(read_pairs(decoder, node))
    return made


def write_defaultdict(encoder: Encoder, value: "defaultdict[object, object]") -> Json:
    """`{"@": "defaultdict", "f": factory, "v": [["a", 1]]}`."""
    ref = encoder.seen(value)
    if ref is not None:
        return ref
    node: Node = {"@": "defaultdict", "f": None}
    encoder.memo[id(value)] = node
    try:
        node["f"] = encoder.write(value.default_factory)
    except UncodableError as fault:
        fault.below(".default_factory")
        raise
    node["v"] = write_pairs(encoder, value.items())
    return node


def read_defaultdict(decoder: Decoder, node: Node, number: int) -> "defaultdict[object, object]":
    """A defaultdict of its factory and pairs."""
    from collections import defaultdict

    made: defaultdict[object, object] = defaultdict()
    decoder.heap[number] = made
    made.default_factory = _factory(decoder.read(part(node, "f")))
    made.update(read_pairs(decoder, node))
    return made


def _factory(value: object) -> Callable[[], object] | None:
    if value is None or callable(value):
        return value
    raise CorruptValue("a default factory cannot be called")


def write_namespace(encoder: Encoder, value: "SimpleNamespace") -> Json:
    """`{"@": "namespace", "v": {"a": 1}}`."""
    ref = encoder.seen(value)
    if ref is not None:
        return ref
    node: Node = {"@": "namespace"}
    encoder.memo[id(value)] = node
    node["v"] = write_fields(encoder, vars(value))
    return node


def read_namespace(decoder: Decoder, node: Node, number: int) -> "SimpleNamespace":
    """Its attributes."""
    from types import SimpleNamespace

    made = SimpleNamespace()
    decoder.heap[number] = made
    vars(made).update(read_fields(decoder, node))
    return made


def write_fields(encoder: Encoder, fields: Mapping[str, object]) -> Node:
    """JSON of attributes by name; a refusal is told with the name."""
    written: Node = {}
    name = ""
    try:
        for name, value in fields.items():
            written[name] = encoder.write(value)
    except UncodableError as fault:
        fault.below(f".{name}")
        raise
    return written


def read_fields(decoder: Decoder, node: Node, names: Iterable[str] = ()) -> dict[str, object]:
    """Attributes by name: in the order of `o` if it is there, else of the given names."""
    found = entries_of(node)
    if "o" in node:
        names = [str(name) for name in items_of(node, "o")]
    read = {name: decoder.read(found[name]) for name in names if name in found}
    if len(read) != len(found):
        read.update({k: decoder.read(v) for k, v in found.items() if k not in read})
    return read
