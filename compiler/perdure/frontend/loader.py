"""Imports the project's modules that a flow reaches, instrumented, under their own names.

A project, a file and a flow's name come in; the living `Flow` goes out, with its modules. Step
bodies, classes and everything that flows do not reach are the user's code unchanged. Two projects
in one process do not meet: their modules are in `sys.modules` only while they are imported, and
while `LoadedFlow.active()` holds them there (steps that import late, pickles).
"""

import ast
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
import types
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast, final

from perdure.diagnostics import Refused
from perdure.frontend import instrument
from perdure.frontend.analysis import Analysis
from perdure.frontend.check import check
from perdure.language import Flow
from perdure.modules import Module
from perdure.project import Project

__all__ = ["LoadedFlow", "RefusedError", "UserImportError", "load"]


class RefusedError(Refused):
    """The flow is refused; `analysis.report` says why."""

    def __init__(self, analysis: Analysis) -> None:
        super().__init__(analysis.report)
        self.analysis = analysis


class UserImportError(Exception):
    """The user's module raised while it was imported: where, and what."""

    def __init__(self, file: str, line: int, error: BaseException) -> None:
        super().__init__(f"{file}:{line}: {type(error).__name__}: {error}")
        self.file = file
        self.line = line
        self.error = error


@final
class LoadedFlow:
    """A flow ready to run in this process."""

    def __init__(
        self,
        flow: "Flow[..., object]",
        modules: dict[str, types.ModuleType],
        analysis: Analysis,
        finder: "_Finder",
    ) -> None:
        self.flow = flow
        self.module = modules[analysis.entry.module]
        self.modules = modules
        """All project modules imported so far, by name."""
        self.analysis = analysis
        self._finder = finder

    @contextmanager
    def active(self) -> Generator[None]:
        """While this holds, `import` finds the project's modules (instrumented)."""
        with _installed(self._finder, self.modules):
            yield


def load(
    project: Project, file: Path, flow: str | None = None, *, analysis: Analysis | None = None
) -> LoadedFlow:
    """Check and import one flow; `RefusedError` or `UserImportError` say what is wrong."""
    analysis = analysis or check(project, file, flow)
    if not analysis.ok:
        raise RefusedError(analysis)
    finder = _Finder(project, analysis)
    modules: dict[str, types.ModuleType] = {}
    entry = analysis.entry
    with _installed(finder, modules):
        try:
            module = importlib.import_module(entry.module)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            raise _failed(project, analysis, error) from error
    found: object = module
    for part in entry.qualname.split("."):
        found = getattr(found, part)
    assert isinstance(found, Flow), f"{entry} is not a flow"
    flow_found = cast("Flow[..., object]", found)  # what it takes and gives is the user's
    return LoadedFlow(flow_found, modules, analysis, finder)


def _failed(project: Project, analysis: Analysis, error: BaseException) -> UserImportError:
    """The innermost line of the project on the way to the error."""
    if isinstance(error, SyntaxError) and error.filename:
        return UserImportError(project.display(Path(error.filename)), error.lineno or 1, error)
    place = (analysis.modules[analysis.entry.module].source.path, 1)
    trace = error.__traceback__
    root = str(project.root)
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if name.startswith(root) and "site-packages" not in name:
            place = (project.display(Path(name)), trace.tb_lineno)
        trace = trace.tb_next
    return UserImportError(*place, error)


@contextmanager
def _installed(finder: "_Finder", modules: dict[str, types.ModuleType]) -> Generator[None]:
    """Put the project first on the way of imports, and everything back afterwards."""
    hidden = {name: sys.modules.pop(name) for name in finder.owned()}
    sys.modules.update(modules)
    root = str(finder.project.root)
    sys.meta_path.insert(0, finder)
    sys.path.insert(0, root)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        if root in sys.path:
            sys.path.remove(root)
        for name in finder.owned():
            modules[name] = sys.modules.pop(name)
        sys.modules.update(hidden)


@final
class _Finder:
    """Finds the project's modules; those that the analysis reached come instrumented."""

    def __init__(self, project: Project, analysis: Analysis) -> None:
        self.project = project
        self._analysis = analysis

    def owned(self) -> list[str]:
        """Which of the modules that are loaded have names of this project's modules."""
        names = {name for module in self._analysis.modules for name in _with_packages(module)}
        root = f"{self.project.root}{os.sep}"
        return [name for name in [*sys.modules] if name in names or self._is_ours(name, root)]

    def _is_ours(self, name: str, root: str) -> bool:
        module = sys.modules[name]
        origin: object = getattr(module, "__file__", None)
        if isinstance(origin, str) and not origin.startswith(root):
            return False  # of thousands of modules few lie in the project, and a Path is slow
        if name.partition(".")[0] in _NEVER or name in sys.stdlib_module_names:
            return False
        place = os.path.join(root, *name.split("."))
        if isinstance(origin, str):
            return origin in (f"{place}.py", os.path.join(place, "__init__.py"))
        spec: object = getattr(module, "__spec__", None)
        places: Iterable[str] | None = getattr(spec, "submodule_search_locations", None)
        return places is not None and place in [*places]

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Of the import protocol."""
        module = self._analysis.modules.get(name)
        if module is None:
            return None
        loader = _Loader(module, self._analysis)
        folders = [str(module.path.parent)] if module.is_package else None
        return importlib.util.spec_from_file_location(
            name, module.path, loader=loader, submodule_search_locations=folders
        )


def _with_packages(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[: length + 1]) for length in range(len(parts))]


_NEVER = frozenset({"perdure", "__main__", "__mp_main__"})


@final
class _Loader(importlib.abc.InspectLoader):
    """Runs one instrumented module."""

    def __init__(self, module: Module, analysis: Analysis) -> None:
        self._module = module
        self._analysis = analysis

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:
        """Of the import protocol: the usual kind of module."""

    def exec_module(self, module: types.ModuleType) -> None:
        """Of the import protocol."""
        from perdure.runtime import calls

        tree = instrument.module(self._module, self._analysis)
        module.__dict__["__perdure__"] = calls
        module.__dict__["__sites__"] = self._analysis.sites.get(self._module.name, ())
        exec(_compiled(tree, self._module), module.__dict__)

    def get_source(self, fullname: str) -> str:
        """The user's text, for tracebacks and `inspect`."""
        return self._module.source.text


def _compiled(tree: ast.Module, module: Module) -> types.CodeType:
    return compile(tree, str(module.path), "exec", dont_inherit=True)
