"""Exceptions across a border, and back without running their constructors.

`{"@": "error", "type": "app:CardDeclined", "mro": [...], "message": str(error), "args": [...]}`,
with `attributes` (those that have a codec; names of the others in `lost`), `members` (what the
built-in classes keep outside `__dict__`), `group` (the exceptions of a group). An argument without
a codec is refused: what a program matches on and prints must arrive whole or not at all. Causes
and tracebacks stay behind.
"""

from functools import lru_cache
from typing import Any, TypeGuard

from perdure.codec.containers import read_fields, write_items
from perdure.codec.faults import CorruptValue, UncodableError
from perdure.codec.heap import Decoder, Encoder, items_of, part, whole
from perdure.codec.names import name_of
from perdure.codec.narrow import is_tuple
from perdure.codec.text import Json

type Node = dict[str, Json]

_UNICODE = ("encoding", "object", "start", "end", "reason")
_SYNTAX = ("msg", "filename", "lineno", "offset", "text", "end_lineno", "end_offset")

MEMBERS: dict[type, tuple[str, ...]] = {
    OSError: ("errno", "strerror", "filename", "filename2"),
    StopIteration: ("value",),
    StopAsyncIteration: (),
    SystemExit: ("code",),
    ImportError: ("msg", "name", "path"),
    NameError: ("name",),
    AttributeError: ("name",),
    SyntaxError: _SYNTAX,
    UnicodeDecodeError: _UNICODE,
    UnicodeEncodeError: _UNICODE,
    UnicodeTranslateError: _UNICODE[1:],
}
"""State of built-in exceptions that is neither in `args` nor in `__dict__`."""


def write_error(encoder: Encoder, error: BaseException) -> Json:
    """One exception; the form is in the module's docstring."""
    ref = encoder.seen(error)
    if ref is not None:
        return ref
    mro = mro_of(type(error))
    node: Node = {"@": "error", "type": mro[0], "mro": list(mro)}
    encoder.memo[id(error)] = node
    node["message"] = encoder.write(_message(error))
    if _is_group(error):
        members: list[Json] = []
        node["group"] = members
        _below(".exceptions", encoder, error.exceptions, members)
        node["text"] = encoder.write(error.message)
    arguments: list[Json] = []
    node["args"] = arguments
    _below(".args", encoder, error.args, arguments)
    _write_members(encoder, error, node)
    _write_attributes(encoder, error, node)
    return node


def _is_group(error: BaseException) -> TypeGuard[BaseExceptionGroup[BaseException]]:
    return isinstance(error, BaseExceptionGroup)


def _below(segment: str, encoder: Encoder, values: tuple[object, ...], into: list[Json]) -> None:
    try:
        write_items(encoder, values, into)
    except UncodableError as fault:
        fault.below(segment)
        raise


def _message(error: BaseException) -> str:
    known: object = vars(error).get("__perdure_message__")
    if isinstance(known, str):
        return known
    try:
        return str(error)
    except Exception:
        return f"<unprintable {type(error).__name__} object>"


def mro_of(cls: type[BaseException]) -> tuple[str, ...]:
    """Names of the class and its bases, as the program that raised it knew them."""
    known: object = cls.__dict__.get("__perdure_mro__")
    if is_tuple(known):
        return tuple(str(name) for name in known)
    return tuple(name_of(base) for base in cls.__mro__ if base is not object)


def _write_members(encoder: Encoder, error: BaseException, node: Node) -> None:
    members: Node = {}
    for name in _member_names(type(error)):
        value: object = getattr(error, name, None)
        if value is not None:
            _try_write(encoder, name, value, members, node)
    if members:
        node["members"] = members


def _member_names(cls: type) -> tuple[str, ...]:
    return next((MEMBERS[base] for base in cls.__mro__ if base in MEMBERS), ())


def _write_attributes(encoder: Encoder, error: BaseException, node: Node) -> None:
    attributes: Node = {}
    for name, value in vars(error).items():
        if name != "__perdure_message__":
            _try_write(encoder, name, value, attributes, node)
    if attributes:
        node["attributes"] = attributes
        node["o"] = list(attributes)


def _try_write(encoder: Encoder, name: str, value: object, into: Node, node: Node) -> None:
    mark = encoder.mark()
    try:
        into[name] = encoder.write(value)
    except UncodableError:
        encoder.back(mark)
        lost = node.setdefault("lost", [])
        if isinstance(lost, list):
            lost.append(name)


def read_error(decoder: Decoder, node: Node, number: int) -> BaseException:
    """The exception; of a class that cannot be found or built here, a stand-in of its name."""
    group = [decoder.read(item) for item in items_of(node, "group")] if "group" in node else None
    error = _make(decoder, node, group)
    decoder.heap[number] = error
    error.args = tuple([decoder.read(item) for item in items_of(node, "args")])
    if "attributes" in node:
        found = {"@": "error", "v": node["attributes"], "o": node.get("o", [])}
        vars(error).update(read_fields(decoder, found))
    if "members" in node:
        for name, value in read_fields(decoder, {"@": "error", "v": node["members"]}).items():
            setattr(error, name, value)
    return error


def _make(decoder: Decoder, node: Node, group: list[object] | None) -> BaseException:
    names = tuple(str(name) for name in items_of(node, "mro"))
    message = str(decoder.read(part(node, "message")))
    cls = _known(decoder, names[0])
    if cls is not None:
        made = _blank(cls, decoder, node, group)
        if made is not None:
            return made
    bases = (_known(decoder, name) for name in names[1:])
    for base in (*bases, Exception):
        made = _blank(_named_like(names, base), decoder, node, group) if base else None
        if made is not None:
            vars(made)["__perdure_message__"] = message
            return made
    raise CorruptValue(f"no exception can be made of `{names[0]}`")


def _known(decoder: Decoder, name: str) -> type[BaseException] | None:
    if "<locals>" in name:
        return None
    try:
        cls = decoder.classes(name)
    except (ImportError, AttributeError, LookupError):
        return None
    return cls if issubclass(cls, BaseException) else None


def _blank(
    cls: type[BaseException], decoder: Decoder, node: Node, group: list[object] | None
) -> BaseException | None:
    """An exception of the class, made by the built-in `__new__` alone; None if that cannot be."""
    native = next(base for base in cls.__mro__ if base.__module__ == "builtins")
    # Any: `__new__` of a base, called for a class that only run time knows.
    make: Any = native.__new__
    try:
        made = make(cls, decoder.read(part(node, "text")), group) if group else make(cls)
    except TypeError:
        return None
    return made if isinstance(made, cls) else None


def _stand_in_text(self: BaseException) -> str:
    return str(vars(self).get("__perdure_message__", ""))


def _named_like(names: tuple[str, ...], base: type) -> type[BaseException]:
    # Any: a class made at run time; its base is an exception's.
    made: Any = stand_in(names, base)
    result: type[BaseException] = made
    return result


@lru_cache(maxsize=256)
def stand_in(names: tuple[str, ...], base: type) -> type:
    """A class with the name and the MRO names of one that is not here."""
    module, _, qualname = names[0].partition(":")
    return type(
        qualname.rpartition(".")[2],
        (base,),
        {
            "__module__": module,
            "__qualname__": qualname,
            "__perdure_mro__": names,
            "__str__": _stand_in_text,
        },
    )


def root_number(data: Node) -> int:
    """The heap number of an exception that its own parts refer to; 0 if none does."""
    return whole(data["n"]) if "n" in data else 0
