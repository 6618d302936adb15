"""`name=value` on the command line: text if declared `str`, else JSON; and the whole as JSON."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TypeGuard, get_type_hints

import click

from perdure.diagnostics import nearest

__all__ = ["fields_of", "parse_pairs", "read_json", "sample", "shortened"]


def parse_pairs(pairs: Sequence[str], declared: Mapping[str, object]) -> dict[str, object]:
    """Values by name. `declared`: the names there are, with their types; empty if not known."""
    values: dict[str, object] = {}
    for pair in pairs:
        name, sign, text = pair.partition("=")
        if not sign or not name.isidentifier():
            raise click.UsageError(f"`{pair}` is no `name=value`")
        if name in values:
            raise click.UsageError(f"`{name}` is given twice")
        if declared and name not in declared:
            meant = nearest(name, declared)
            hint = f"; the nearest is `{meant}`" if meant else ""
            raise click.UsageError(f"there is no `{name}`{hint}: it takes {_listed(declared)}")
        values[name] = _value(name, text, declared.get(name))
    return values


def _listed(names: Mapping[str, object]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _value(name: str, text: str, declared: object) -> object:
    if declared is str:
        return text
    try:
        value = _parsed(text)
    except ValueError:
        if declared is not None and _admits_text(declared):
            return text
        shown = json.dumps(text)
        raise click.UsageError(
            f"`{name}={text}` is not JSON; write a text as `{name}='{shown}'`"
        ) from None
    return value


def _admits_text(declared: object) -> bool:
    """`str | None`, `Literal["a"]`, an enum: what is no JSON can only be text there."""
    return not isinstance(declared, type) or declared not in (int, float, bool, list, dict)


def read_json(text: str, option: str) -> object:
    """JSON given as it is, as `@file`, or as `-` for standard input."""
    if text == "-":
        content = sys.stdin.buffer.read()
    elif text.startswith("@"):
        content = _file(text[1:], option)
    else:
        content = text.encode("utf-8", "surrogateescape")
    try:
        return _parsed(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise click.UsageError(
            f"{option} is not UTF-8: byte {error.start} is 0x{content[error.start]:02x}"
        ) from None
    except ValueError as error:
        raise click.UsageError(f"{option} is not JSON: {error}") from None


def _file(name: str, option: str) -> bytes:
    try:
        return Path(name).read_bytes()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError, ValueError) as error:
        problem = error.strerror if isinstance(error, OSError) else str(error)
        raise click.UsageError(f"{option} @{name}: {problem}") from None


def shortened(error: Exception) -> str:
    """What is wrong with a value; of a place deep inside it, both ends."""
    text = str(error)
    return text if len(text) <= 400 else f"{text[:120]} … {text[-240:]}"


def _parsed(text: str) -> object:
    """ValueError for what is not JSON, and for what nobody could take apart."""
    try:
        value: object = json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return value


def fields_of(declared: object) -> dict[str, object]:
    """The fields of a dataclass or pydantic model, by name."""
    if not _is_class(declared):
        return {}
    if is_dataclass(declared):
        hints = get_type_hints(declared)
        return {field.name: hints.get(field.name) for field in fields(declared)}
    return {name: getattr(info, "annotation", None) for name, info in _model(declared).items()}


def _model(declared: object) -> Mapping[str, object]:
    """The fields of a pydantic model as it describes them; empty for any other class."""
    models: object = getattr(declared, "model_fields", None)
    return {str(name): info for name, info in models.items()} if _is_table(models) else {}


def _is_class(value: object) -> TypeGuard[type[object]]:
    return isinstance(value, type)


def _is_table(value: object) -> TypeGuard[Mapping[object, object]]:
    return isinstance(value, Mapping)


def sample(declared: object) -> list[str]:
    """Arguments of `perdure send` that fit a type: what to show people to start from."""
    names = _required(declared)
    if names is None:
        return [] if declared is None else [f"--payload {_shell(_example(declared))}"]
    types = fields_of(declared)
    return [
        f"{name}=text" if types[name] is str else f"{name}={_shell(_example(types[name]))}"
        for name in names
    ]


def _required(declared: object) -> list[str] | None:
    if not _is_class(declared):
        return None
    if is_dataclass(declared):
        from dataclasses import MISSING

        return [
            field.name
            for field in fields(declared)
            if field.init and field.default is MISSING and field.default_factory is MISSING
        ]
    if not hasattr(declared, "model_fields"):
        return None
    return [name for name, info in _model(declared).items() if _is_required(info)]


def _is_required(info: object) -> bool:
    asked = getattr(info, "is_required", None)
    return bool(asked()) if callable(asked) else False


def _example(declared: object) -> object:
    simple: dict[object, object] = {bool: True, int: 1, float: 1.5, str: "text"}
    if declared in simple:
        return simple[declared]
    names = _required(declared)
    if names is not None:
        types = fields_of(declared)
        return {name: _example(types[name]) for name in names}
    origin: object = getattr(declared, "__origin__", declared)
    plain: dict[object, object] = {list: [], tuple: [], set: [], frozenset: [], dict: {}}
    return plain.get(origin)


def _shell(value: object) -> str:
    from shlex import quote

    return quote(json.dumps(value))
