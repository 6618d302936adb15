"""Imports an emitted project in this process, out of the way of what is imported already."""

import importlib
import sys
import warnings
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

__all__ = ["imported_from"]

RUNTIME = ("perdure/", "perdure_azure/")


@contextmanager
def imported_from(
    files: Mapping[str, str | bytes], folder: Path, modules: Sequence[str]
) -> Generator[Mapping[str, ModuleType]]:
    """Modules of a project written into a folder, while they are the ones that `import` finds."""
    names = _written(files, folder)
    hidden = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    finders = sys.meta_path[:]
    # A test runner's own finder would rewrite `assert` in a module that is called like a test.
    sys.meta_path[:] = [each for each in finders if not type(each).__module__.startswith("_pytest")]
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Auth level is not applied")
            found = {name: importlib.import_module(name) for name in modules}
        yield found
    finally:
        sys.path.remove(str(folder))
        sys.meta_path[:] = finders
        for name in names:
            sys.modules.pop(name, None)
        sys.modules.update(hidden)


def _written(files: Mapping[str, str | bytes], folder: Path) -> set[str]:
    """Write what is not the runtime, which this process has; the names of all modules in it."""
    names: set[str] = set()
    for path, content in files.items():
        if path.startswith(RUNTIME):
            continue
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
        if path.endswith(".py"):
            parts = path.removesuffix(".py").removesuffix("/__init__").split("/")
            names |= {".".join(parts[: length + 1]) for length in range(len(parts))}
    return names
