"""The parts of perdure that an Azure app carries with it: stdlib only, copied as they are."""

from collections.abc import Iterator
from pathlib import Path

import perdure
import perdure_azure

__all__ = ["runtime_files"]

RUNTIME = (
    "__init__",
    "backend",
    "cron",
    "durations",
    "errors",
    "language",
    "operations",
    "plain",
    "secrets",
    "trace",
    "triggers",
    "webhooks",
    "codec",
    "runtime",
)
"""Modules and packages of `perdure` that run in an app."""
TARGET = ("__init__", "limits", "names", "neighbours")
SDKS = {1: "classic", 2: "orchestration"}
"""Modules of `perdure_azure` that run in an app, and the one of its SDK."""


def runtime_files(sdk: int) -> dict[str, bytes]:
    """Content by path, for an SDK."""
    files = dict(_python(Path(perdure.__file__).parent, "perdure", RUNTIME))
    files.update(
        _python(Path(perdure_azure.__file__).parent, "perdure_azure", (*TARGET, SDKS[sdk]))
    )
    return files


def _python(folder: Path, package: str, names: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
    for name in names:
        root = folder / name
        files = sorted(root.rglob("*.py")) if root.is_dir() else [root.with_suffix(".py")]
        for file in files:
            if file.is_file():
                inside = file.relative_to(folder).as_posix()
                yield f"{package}/{inside}", file.read_bytes().replace(b"\r\n", b"\n")
