"""Functions, classes and bound things as values. Each pair writes and reads one tagged form."""

from functools import partial
from types import CellType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any

from perdure.codec.containers import write_fields, write_items
from perdure.codec.faults import CorruptValue, UncodableError
from perdure.codec.heap import Decoder, Encoder, entries_of, items_of, part, text_of, whole
from perdure.codec.names import find, known_name
from perdure.codec.text import Json

if TYPE_CHECKING:
    from types import BuiltinFunctionType, MethodDescriptorType

type Node = dict[str, Json]


def write_type(encoder: Encoder, value: type) -> Json:
    """`{"@": "type", "c": "app:Order"}`."""
    return {"@": "type", "c": known_name(value)}


def read_type(decoder: Decoder, node: Node, number: int) -> type:
    """The class."""
    return decoder.classes(text_of(node, "c"))


def write_function(encoder: Encoder, value: FunctionType) -> Json:
    """`{"@": "fn", "r": "app:total"}`; a nested one or a lambda is a `closure`."""
    name = getattr(value, "__perdure_ref__", None)
    if isinstance(name, str):
        return {"@": "fn", "r": name}
    if "<" in value.__qualname__:
        return _closure(encoder, value)
    return {"@": "fn", "r": f"{value.__module__}:{value.__qualname__}"}


def write_reference(encoder: Encoder, value: object) -> Json:
    """`{"@": "fn", "r": "app:charge"}`, what a Step or Flow says its place is."""
    name: object = getattr(value, "__perdure_ref__", None)
    if not isinstance(name, str) or "<" in name:
        raise UncodableError(
            type(value).__qualname__, "it is not bound to a name of its module; move it there"
        )
    return {"@": "fn", "r": name}


def read_function(decoder: Decoder, node: Node, number: int) -> object:
    """What stands at that place of the module."""
    return find(text_of(node, "r"))


def _closure(encoder: Encoder, value: FunctionType) -> Json:
    """`{"@": "closure", "r": name, "c": [cells], "d": defaults, "k": keyword defaults}`."""
    ref = encoder.seen(value)
    if ref is not None:
        return ref
    table = encoder.functions
    name = table.name_of(value) if table is not None else None
    if name is None:
        raise UncodableError(value.__qualname__, "a nested function crosses only inside a flow")
    cells: list[Json] = []
    node: Node = {"@": "closure", "r": name, "c": cells}
    encoder.memo[id(value)] = node
    for variable, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
        try:
            cells.append(_cell(encoder, cell))
        except UncodableError as fault:
            fault.below(f".{variable}")
            raise
    if value.__defaults__:
        node["d"] = write_items(encoder, value.__defaults__, [])
    if value.__kwdefaults__:
        node["k"] = write_fields(encoder, value.__kwdefaults__)
    return node


def _cell(encoder: Encoder, cell: CellType) -> Json:
    """`{"@": "cell", "v": value}`, without `v` while the variable is unbound."""
    ref = encoder.seen(cell)
    if ref is not None:
        return ref
    node: Node = {"@": "cell"}
    encoder.memo[id(cell)] = node
    try:
        content = cell.cell_contents
    except ValueError:
        return node
    node["v"] = encoder.write(content)
    return node


def read_cell(decoder: Decoder, node: Node, number: int) -> CellType:
    """A cell, in the heap before its content is read."""
    cell = CellType()
    decoder.heap[number] = cell
    if "v" in node:
        cell.cell_contents = decoder.read(node["v"])
    return cell


def read_closure(decoder: Decoder, node: Node, number: int) -> object:
    """A function over its cells; it exists before they are filled, for they may lead back to it."""
    if decoder.functions is None:
        raise CorruptValue("a nested function stands where none is known")
    unfilled: list[tuple[CellType, Node]] = []
    cells = [_shell(decoder, item, unfilled) for item in items_of(node, "c")]
    function = decoder.functions.build(text_of(node, "r"), tuple(cells))
    decoder.heap[number] = function
    for cell, inner in unfilled:
        if "v" in inner:
            cell.cell_contents = decoder.read(inner["v"])
    if "d" in node:
        function.__defaults__ = tuple([decoder.read(item) for item in items_of(node, "d")])
    if "k" in node:
        keywords = entries_of(node, "k")
        function.__kwdefaults__ = {name: decoder.read(item) for name, item in keywords.items()}
    return function


def _shell(decoder: Decoder, item: Json, unfilled: list[tuple[CellType, Node]]) -> CellType:
    if isinstance(item, dict) and item.get("@") == "cell":
        cell = CellType()
        unfilled.append((cell, item))
        return cell
    if isinstance(item, dict) and item.get("@") == "def":
        number = whole(part(item, "n"))
        if number not in decoder.heap:
            cell = decoder.heap[number] = CellType()
            unfilled.append((cell, entries_of(item)))
            return cell
    found = decoder.read(item)
    if not isinstance(found, CellType):
        raise CorruptValue("a closure holds something that is no cell")
    return found


def write_method(encoder: Encoder, value: "MethodType | BuiltinFunctionType") -> Json:
    """`{"@": "method", "o": object, "n": "append"}`; a module's function written in C is a `fn`."""
    owner = value.__self__
    if owner is None or type(owner).__name__ == "module":
        return {"@": "fn", "r": f"{value.__module__}:{value.__qualname__}"}
    # Reading a method by its name has to give this very function.
    name: str = value.__name__
    try:
        return {"@": "method", "o": encoder.write(owner), "n": name}
    except UncodableError as fault:
        fault.below(".__self__")
        raise


def write_descriptor(encoder: Encoder, value: "MethodDescriptorType") -> Json:
    """`str.upper`: the method read from the class."""
    return {"@": "method", "o": encoder.write(value.__objclass__), "n": value.__name__}


def read_method(decoder: Decoder, node: Node, number: int) -> object:
    """The attribute of the object."""
    owner = decoder.read(part(node, "o"))
    found: object = getattr(owner, text_of(node, "n"))
    return found


def write_partial(encoder: Encoder, value: "partial[Any]") -> Json:
    """`{"@": "partial", "f": function, "a": [1], "k": {"by": 2}}`."""
    ref = encoder.seen(value)
    if ref is not None:
        return ref
    node: Node = {"@": "partial", "f": encoder.write(value.func)}
    encoder.memo[id(value)] = node
    node["a"] = write_items(encoder, value.args, [])
    node["k"] = [[name, item] for name, item in write_fields(encoder, value.keywords).items()]
    return node


def read_partial(decoder: Decoder, node: Node, number: int) -> object:
    """A partial of function and arguments."""
    function = decoder.read(part(node, "f"))
    if not callable(function):
        raise CorruptValue("`partial` holds no function")
    # partial.__setstate__ fills one that is already in the heap, so a cycle through it is kept.
    # Any: typeshed leaves __setstate__ out, which copy and pickle rely on.
    made: Any = partial(function)
    decoder.heap[number] = made
    arguments = tuple([decoder.read(item) for item in items_of(node, "a")])
    pairs = {"@": "partial", "v": node.get("k", [])}
    keywords = {str(decoder.read(p[0])): decoder.read(p[1]) for p in map(_pair, items_of(pairs))}
    made.__setstate__((function, arguments, keywords, {}))
    result: object = made
    return result


def _pair(item: Json) -> list[Json]:
    if not isinstance(item, list) or len(item) != 2:
        raise CorruptValue("`partial` holds no pairs")
    return item
