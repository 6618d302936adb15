"""SDK 1 in a process that has SDK 2: both are `azure.durable_functions`.

Where it lies is said by PERDURE_AZURE_SDK_1, a folder of packages; else in `.venv-sdk1` of the
folder that tests run in.
"""

import importlib
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any

__all__ = ["folder", "sdk1"]

NAME = "azure.durable_functions"
_LOADED: dict[str, ModuleType] = {}
"""Its modules, once they are imported: to import them takes a second."""


def folder() -> Path | None:
    """Where it lies, if it is here."""
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    beside = Path(".venv-sdk1", "lib", python, "site-packages")
    found = Path(os.environ.get("PERDURE_AZURE_SDK_1") or beside).absolute()
    return found if (found / "azure" / "durable_functions" / "models").is_dir() else None


@contextmanager
def sdk1() -> Generator[None]:
    """SDK 1 is what `import azure.durable_functions` finds."""
    found = folder()
    if found is None:
        needs = (
            "pip install --target FOLDER 'azure-functions-durable<2'; PERDURE_AZURE_SDK_1=FOLDER"
        )
        raise ModuleNotFoundError(f"engine 'classic' needs SDK 1: {needs}", name=NAME)
    parent: Any = importlib.import_module("azure")
    hidden = _taken()
    before = getattr(parent, "durable_functions", None)
    sys.path.insert(0, str(found))
    try:
        if _LOADED:
            sys.modules.update(_LOADED)
        importlib.invalidate_caches()
        parent.durable_functions = importlib.import_module(NAME)
        _reads_dates_faster()
        yield
    finally:
        sys.path.remove(str(found))
        _LOADED.update(_taken())
        sys.modules.update(hidden)
        if before is not None:
            parent.durable_functions = before


def _taken() -> dict[str, ModuleType]:
    """Its modules, out of the way."""
    names = [name for name in sys.modules if name == NAME or name.startswith(f"{NAME}.")]
    return {name: sys.modules.pop(name) for name in names}


def _reads_dates_faster() -> None:
    """Four fifths of an episode's time are spent in dateutil, on texts of one form."""
    module = importlib.import_module(f"{NAME}.models.history.HistoryEvent")
    vars(module)["dt_parse"] = datetime.fromisoformat
