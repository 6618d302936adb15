"""A flow ready to run, with the copy of its source that the run keeps.

A run goes on with the source it began with: when a file has changed since, resuming loads the
stored copy, and says which files differ.
"""

import ast
import json
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from tokenize import detect_encoding
from typing import TYPE_CHECKING, Final, NamedTuple, final

from perdure import __version__, diagnostics
from perdure.codec import VERSION as CODEC
from perdure.copies import COPY_FORMAT, SourceCopy, text_of
from perdure.diagnostics import Report
from perdure.driver import FlowName, analyse, find_flows, open_project, which_flow
from perdure.frontend.analysis import CallKind
from perdure.frontend.loader import LoadedFlow, load
from perdure.project import Project
from perdure.runtime.functions import ModuleFunctions
from perdure.store.protocol import Json, RunRecord, RunStore, Versions
from perdure.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from perdure.frontend.analysis import Analysis
    from perdure.language import Flow

__all__ = [
    "Program",
    "Refused",
    "SourceCopy",
    "WrongPython",
    "check_program",
    "flow_name",
    "load_copied",
    "load_program",
    "load_stored",
]

SETTINGS_FILE: Final = "pyproject.toml"


class Refused(diagnostics.Refused):
    """The source is refused; `report` says why, `root` is where its files lie."""

    def __init__(self, report: Report, root: Path) -> None:
        super().__init__(report)
        self.root = root


class WrongPython(Exception):  # noqa: N818
    """The project is pinned to another minor version of Python, or the run began under one."""


@final
class Program:
    """A flow in this process, and where it came from."""

    def __init__(self, loaded: LoadedFlow, checked: "Checked") -> None:
        self.flow: Flow[..., object] = loaded.flow
        self.project = checked.project
        self.copy = checked.copy
        self._checked = checked
        self._loaded = loaded
        if loaded.analysis.secrets:
            from perdure.secrets import watch

            watch(loaded.analysis.secrets)

    @property
    def functions(self) -> ModuleFunctions:
        """The nested functions of the project's modules, by name."""
        return ModuleFunctions(self._loaded.modules)

    def versions(self, store: SqliteStore) -> Versions:
        """Keep the source copy; what a run that starts now is started with."""
        return self._checked.versions(store)

    @contextmanager
    def active(self) -> Generator[None]:
        """While this holds, the project's modules are imported."""
        with self._loaded.active():
            yield

    def event_types(self) -> dict[str, list[object]]:
        """Return the types declared for events that the source names literally."""
        found: dict[str, list[object]] = {}
        for name, module in self._loaded.analysis.modules.items():
            scope = getattr(self._loaded.modules.get(name), "__dict__", {})
            for node in ast.walk(module.tree):
                if isinstance(node, ast.Call) and self._is_event(node):
                    _note_event(node, scope, found)
        return found

    @property
    def step_names(self) -> frozenset[str]:
        """What steps are called, and the labels that their paths end with."""
        analysis = self._loaded.analysis
        kinds = (CallKind.STEP, CallKind.TABLE, CallKind.VALUE)
        labels = {fact.label for fact in analysis.calls.values() if fact.kind in kinds}
        given = {
            str(keyword.value.value)
            for fact in analysis.calls.values()
            for keyword in (fact.options.keywords if fact.options else ())
            if keyword.arg == "name" and isinstance(keyword.value, ast.Constant)
        }
        return frozenset({fact.name for fact in analysis.steps.values()} | labels | given)

    @property
    def computes_event_names(self) -> bool:
        """Whether some wait makes up its name at run time."""
        return any(
            isinstance(node, ast.Call) and self._is_event(node) and _event_name(node) is None
            for module in self._loaded.analysis.modules.values()
            for node in ast.walk(module.tree)
        )

    def _is_event(self, node: ast.Call) -> bool:
        fact = self._loaded.analysis.calls.get(id(node))
        return fact is not None and fact.native == "event"


def _note_event(node: ast.Call, scope: dict[str, object], found: dict[str, list[object]]) -> None:
    name, declared = _event_name(node), _event_arguments(node).get("type")
    if name is None:
        return
    types = found.setdefault(name, [])
    if declared is None:
        types.append(None)
        return
    expression = ast.fix_missing_locations(ast.Expression(declared))
    try:
        # The flow itself evaluates it whenever it waits: names of its module, nothing else.
        types.append(eval(compile(expression, "<event type>", "eval"), dict(scope)))
    except Exception:
        types.append(None)


def _event_arguments(node: ast.Call) -> dict[str, ast.expr]:
    named = {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
    return dict(zip(("name", "type"), node.args, strict=False)) | named


def _event_name(node: ast.Call) -> str | None:
    name = _event_arguments(node).get("name")
    literal = isinstance(name, ast.Constant) and isinstance(name.value, str)
    return str(name.value) if literal and isinstance(name, ast.Constant) else None


class Checked(NamedTuple):
    """A flow that is checked, and not imported."""

    project: Project
    analysis: "Analysis"
    copy: SourceCopy

    def versions(self, store: SqliteStore) -> Versions:
        """Keep the source copy; what a run that starts now is started with."""
        return Versions(__version__, _running(), CODEC, store.put_blob(self.copy.encoded()))


def load_program(name: FlowName) -> Program:
    """Check and import a flow; Refused says what is wrong."""
    checked = check_program(name)
    loaded = load(
        checked.project, name.path.absolute(), checked.copy.flow, analysis=checked.analysis
    )
    return Program(loaded, checked)


def check_program(name: FlowName) -> Checked:
    """Check a flow and copy its source.

    Refused says what is wrong; WrongPython that the project is pinned to another Python.
    """
    report = Report()
    workspace = open_project(name.path, report)
    project = workspace.project
    if report.ok:
        _check_pin(project)
        _set_here(project)
    flows = find_flows(workspace, name) if report.ok else ()
    if len(flows) > 1:
        which_flow(project, name.path, flows, report)
    if not report.ok or not flows:
        raise Refused(report, project.root)
    analysis = analyse(workspace, flows[0])
    if not report.ok:
        raise Refused(report, project.root)
    file = name.path.absolute()
    files = {
        project.display(module.path): module.source.text
        for module in workspace.graph.modules.values()
    }
    settings = text_of(project.root / SETTINGS_FILE)
    if settings is not None:
        files[SETTINGS_FILE] = settings
    copy = SourceCopy(project.display(file), flows[0].ref.qualname, files)
    return Checked(project, analysis, copy)


def _set_here(project: Project) -> None:
    """This machine's settings, as functions find theirs: what is set already counts."""
    for name, value in project.settings.local.items():
        os.environ.setdefault(name, value)


def _check_pin(project: Project) -> None:
    """A flow means what its project's Python makes of it, so no other may run it.

    Where the project names none, the Python that runs is the one.
    """
    pinned, running = project.settings.python, _running()
    if pinned in (None, running):
        return
    raise WrongPython(
        f"the project in {project.root} is for Python {pinned}, this is {running}: run it with"
        f' Python {pinned}, or write `python = "{running}"` under `[tool.perdure]` in its'
        f" {SETTINGS_FILE}"
    )


def _running() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def read_copy(store: RunStore, record: RunRecord) -> SourceCopy:
    """Return the source copy that a run keeps."""
    content = store.get_blob(record.versions.source)
    if content is None:
        raise ValueError(f"the store has no source copy of run {record.run}")
    body: dict[str, Json] = json.loads(content)
    files = body.get("files")
    if body.get("format") != COPY_FORMAT or not isinstance(files, dict):
        raise ValueError(f"the source copy of run {record.run} is of a newer perdure")
    texts = {name: str(text) for name, text in files.items()}
    return SourceCopy(str(body["file"]), str(body["flow"]), texts)


def load_stored(
    store: SqliteStore, record: RunRecord, root: Path
) -> tuple[Program, tuple[str, ...]]:
    """Load the flow of a run with the source it began with; which files have changed since."""
    if record.versions.python != _running():
        raise WrongPython(
            f"run {record.run} was started under Python {record.versions.python}, this is"
            f" {_running()}: resume it with Python {record.versions.python}"
        )
    return load_copied(store, record, root, Path(store.path).parent / "sources")


def load_copied(
    store: RunStore, record: RunRecord, root: Path, folder: Path
) -> tuple[Program, tuple[str, ...]]:
    """The flow of a run out of the source copy that its store keeps, below `folder` where files
    have changed since; which those are.
    """
    copy = read_copy(store, record)
    changed = tuple(copy.changed_files(root))
    if changed:
        root = folder / record.versions.source[:16]
        _write_copy(copy, root)
    return load_program(flow_name(copy, root, record.flow)), changed


def flow_name(copy: SourceCopy, root: Path, reference: str) -> FlowName:
    """Where a flow (`module:qualname`) of these files lies below a root.

    A child, or a run that another one started, may be of a flow in another file.
    """
    module, _, name = reference.partition(":")
    place = module.replace(".", "/")
    found = [file for file in (f"{place}.py", f"{place}/__init__.py") if file in copy.files]
    return FlowName(root / (found[0] if found else copy.file), name)


def _write_copy(copy: SourceCopy, root: Path) -> None:
    for name, text in copy.files.items():
        path = root / name
        if text_of(path) != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode(_encoding_of(text)))
    settings = root / SETTINGS_FILE
    if not settings.exists():
        settings.write_text("", encoding="utf-8")


def _encoding_of(text: str) -> str:
    """Return what the coding line of a Python file says."""
    return detect_encoding(BytesIO(text.encode("utf-8")).readline)[0]
