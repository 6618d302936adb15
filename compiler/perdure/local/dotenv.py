"""Secrets on this machine: in its keyring, or lines of the project's `.env`, which only its owner
may read."""

import os
import re
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, final

from perdure.deployment import DeployError
from perdure.secrets import (
    DOTENV,
    KeyRing,
    assignments,
    find_here,
    keyring_service,
    parse_dotenv,
)

__all__ = ["DotEnv", "InKeyring"]


@final
class InKeyring:
    """`perdure.deployment.SecretStore` in the keyring that the package `keyring` finds."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            found: Any = import_module("keyring")  # Any: its functions are the Protocol's
        except ModuleNotFoundError:
            raise DeployError(
                "the package `keyring` is not installed: add it, or leave --keyring out for .env"
            ) from None
        self._keyring: KeyRing = found

    def present(self, names: Sequence[str]) -> frozenset[str]:
        """Those that a process started here finds."""
        return frozenset(name for name in names if find_here(name, self._folder) is not None)

    def put(self, name: str, value: str) -> bool:
        """Keep a value. Whoever keeps the keyring may ask for a password, or refuse."""
        service = keyring_service(self._folder)
        try:
            new = self._keyring.get_password(service, name) is None
            self._keyring.set_password(service, name, value)
        except Exception as error:
            raise DeployError(f"the keyring refuses: {type(error).__name__}: {error}") from None
        return new

    def remove(self, name: str) -> bool:
        """Forget a value."""
        service = keyring_service(self._folder)
        try:
            if self._keyring.get_password(service, name) is None:
                return False
            self._keyring.delete_password(service, name)
        except Exception as error:
            raise DeployError(f"the keyring refuses: {type(error).__name__}: {error}") from None
        return True


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

    def remove(self, name: str) -> bool:
        """Take its line out, of `.env` alone; all others stay as they are."""
        text = self._file.read_text("utf-8-sig") if self._file.exists() else ""
        if name not in parse_dotenv(text):
            return False
        self._write(_without(text, name))
        return True

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
