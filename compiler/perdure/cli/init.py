"""`perdure init [DIR]`: a small project to start from, copied into a folder."""

import re
import sys
from importlib.resources import files
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

import click

from perdure.cli import exits
from perdure.cli.called import typed
from perdure.cli.streams import out

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from importlib.resources.abc import Traversable

__all__ = ["command"]

PACKAGE = "perdure_templates"
STARTER = "starter"
SUFFIX = ".template"
"""Of files that tools would take for their own in our tree, such as pyproject.toml."""


@click.command("init")
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path))
def command(folder: Path) -> int:
    """Start a project in DIR, or here. Nothing that exists is overwritten."""
    starter = files(PACKAGE) / STARTER
    planned = {folder / name: content for name, content in _copies(starter, "")}
    taken = [path for path in planned if path.exists()]
    if taken:
        raise click.UsageError(
            f"`{taken[0]}` exists, and nothing is overwritten; name an empty folder: "
            "perdure init my-agent"
        )
    about = {"project": _project_name(folder.resolve().name), "python": _python()}
    for path, content in planned.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_filled(content, about))
    _say_next(folder, [*planned])
    return exits.DONE


def _filled(content: bytes, about: "Mapping[str, str]") -> bytes:
    for field, value in about.items():
        content = content.replace(f"{{{{{field}}}}}".encode(), value.encode())
    return content


def _project_name(folder: str) -> str:
    """The folder's name as packaging tools take one: `My agent` gives `my-agent`."""
    return re.sub(r"[^a-z0-9]+", "-", folder.lower()).strip("-") or "agent"


def _python() -> str:
    """The minor version that the project is pinned to: the one that runs here."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _copies(folder: "Traversable", prefix: str) -> "Iterator[tuple[str, bytes]]":
    for entry in sorted(folder.iterdir(), key=_name):
        if entry.name == "__pycache__":
            continue
        if entry.is_dir():
            yield from _copies(entry, f"{prefix}{entry.name}/")
        else:
            name = entry.name.removesuffix(SUFFIX).replace("dot_", ".", 1)
            yield prefix + name, entry.read_bytes()


def _name(entry: "Traversable") -> str:
    return entry.name


def _say_next(folder: Path, made: list[Path]) -> None:
    for path in made:
        out(f"created {path.as_posix()}")
    flows = [path for path in made if "flows" in path.parts and path.name != "__init__.py"]
    out("\nnext:")
    if folder != Path():
        out(f"  cd {quote(folder.as_posix())}")
    for path in flows[:1]:
        file = path.relative_to(folder).as_posix()
        out(f"  {typed()} run {file}")
        out(f"  {typed()} compile {file} --target aws")
