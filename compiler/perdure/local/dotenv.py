"""Secrets on this machine: lines of the project's `.env`, which only its owner may read."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import final

from perdure.secrets import DOTENV, assignments, find_here, parse_dotenv

__all__ = ["DotEnv"]


@final
class DotEnv:
    """`perdure.deployment.SecretStore` of a project's folder."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / DOTENV[-1]

    def present(self, names: Sequence[str]) -> frozenset[str]:
        """Those that a process started here finds, in its environment too."""
        return frozenset(name for name in names if find_here(name, self._file.parent) is not None)

    def put(self, name: str, value: str) -> bool:
        """Write a line, or replace it where it stands; all others stay as they are."""
        text = self._file.read_text("utf-8-sig") if self._file.exists() else ""
        new = name not in parse_dotenv(text)
        kept = text if new else _without(text, name)
        if kept and not kept.endswith("\n"):
            kept += "\n"
        self._write(f"{kept}{name}={_quoted(value)}\n")
        return new

    def _write(self, text: str) -> None:
        """At once or not at all; readable for nobody else from the first byte."""
        beside = self._file.with_name(f"{self._file.name}.new")
        beside.unlink(missing_ok=True)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        beside.replace(self._file)


def _without(text: str, name: str) -> str:
    """The text without the assignments of a name, whose quoted value may go over lines."""
    return "".join(raw for raw, known, _ in assignments(text) if known != name)


def _quoted(value: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9_./:@%+,=-]+", value):
        return value
    if "'" not in value and "\n" not in value and "\r" not in value:
        return f"'{value}'"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return '"' + escaped.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t") + '"'
