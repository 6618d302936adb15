"""The parts of perdure that an Azure app carries with it: stdlib only, copied as they are."""

from pathlib import Path

import perdure
import perdure_azure
from perdure.bundling import LANGUAGE, python_files

__all__ = ["runtime_files"]

TARGET = ("__init__", "limits", "names", "neighbours")
SDKS = {
    1: ("classic",),
    2: ("elsewhere", "orchestration", "releases", "routing", "served"),
}
"""Modules of `perdure_azure` that run in an app, and those of its SDK."""


DOOR = ("sites", "store")
"""Packages of `perdure` that an app with a door needs besides."""


def runtime_files(sdk: int, *, has_door: bool = False) -> dict[str, bytes]:
    """Content by path, for an SDK."""
    ours, own = Path(perdure.__file__).parent, Path(perdure_azure.__file__).parent
    files = dict(python_files(ours, "perdure", (*LANGUAGE, "backend", *(DOOR if has_door else ()))))
    more = (*SDKS[sdk], "door") if has_door else SDKS[sdk]
    files.update(python_files(own, "perdure_azure", (*TARGET, *more)))
    return files
