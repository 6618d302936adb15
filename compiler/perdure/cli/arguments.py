"""`name=value` on the command line: what fits the declared type, JSON or text; whole JSON."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from perdure.cli.samples import example, fits, pair, shell
from perdure.codec.descriptors import Descriptor, spell
from perdure.codec.written import read_json as read_written
from perdure.diagnostics import nearest

__all__ = ["parse_pairs", "read_json", "shortened"]


def parse_pairs(
    pairs: Sequence[str], declared: Mapping[str, Descriptor | None]
) -> dict[str, object]:
    """Values by name. `declared`: the names there are, with their types; empty if not known."""
    values: dict[str, object] = {}
    for text in pairs:
        name, sign, value = text.partition("=")
        if not sign or not name.isidentifier():
            raise click.UsageError(f"`{text}` is no `name=value`")
        if name in values:
            raise click.UsageError(f"`{name}` is given twice")
        if declared and name not in declared:
            meant = nearest(name, declared)
            hint = f"; the nearest is `{meant}`" if meant else ""
            raise click.UsageError(f"there is no `{name}`{hint}: it takes {_listed(declared)}")
        values[name] = _value(name, value, declared.get(name))
    return values


def _listed(names: Mapping[str, object]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _value(name: str, text: str, declared: Descriptor | None) -> object:
    """What the text means: as JSON if that fits the declared type, else as it stands.

    A text stays what it is, but for one in quotes: that is JSON everywhere.
    """
    try:
        meant = [_parsed(text)]
    except ValueError:
        meant = []
    if declared is None or declared.kind == "any":
        if not meant:
            shown = shell(text)
            raise click.UsageError(f"`{name}={text}` is not JSON; write a text as `{name}={shown}`")
        return meant[0]
    for value in [*meant, text]:
        if fits(value, declared):
            return value
    if meant and not isinstance(meant[0], bool):
        return meant[0]
    raise click.UsageError(
        f"`{name}={text}` does not fit: `{name}` is {spell(declared)}, "
        f"such as `{pair(name, example(declared), declared)}`"
    )


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
        value = read_written(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return value
