"""Which flows a command means: those named on the command line, else those of the project."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, final

import click

from perdure import rules
from perdure.artifacts import is_ours
from perdure.cli.output import open_workspace
from perdure.diagnostics import Report
from perdure.driver import FlowName, split_flow
from perdure.project import PYPROJECT
from perdure.source import Span

if TYPE_CHECKING:
    from perdure.frontend.check import Workspace

__all__ = ["Chosen", "choose"]


@final
class Chosen(NamedTuple):
    """The flows of one project; `whole` when they are all that the project has."""

    workspace: "Workspace"
    names: tuple[FlowName, ...]
    whole: bool


def choose(files: Sequence[str], report: Report) -> Chosen:
    """The flows to work on; what is wrong with the settings goes to the report."""
    if not files:
        workspace = open_workspace(Path.cwd(), report)
        return Chosen(workspace, _of_project(workspace), True)
    names = [split_flow(text) for text in files]
    workspace = open_workspace(names[0].path, report)
    for name in names:
        if open_workspace(name.path, report).project.root != workspace.project.root:
            raise click.UsageError(f"`{names[0].path}` and `{name.path}` are of two projects")
    expanded = [found for name in names for found in _expanded(name, workspace)]
    return Chosen(workspace, tuple(dict.fromkeys(expanded)), False)


def _expanded(name: FlowName, workspace: "Workspace") -> Sequence[FlowName]:
    if not name.path.is_dir():
        return [name]
    found = _with_flows(name.path.absolute(), workspace)
    if not found and workspace.report.ok:
        raise click.UsageError(f"no file below `{name.path}` has a flow")
    return found


def _of_project(workspace: "Workspace") -> tuple[FlowName, ...]:
    project, report = workspace.project, workspace.report
    names: list[FlowName] = []
    for entry in project.settings.flows:
        path = project.root / entry
        named = split_flow(str(path))
        if path.is_dir():
            names += _with_flows(path, workspace)
        elif named.path.is_file():
            names.append(named)
        else:
            report.error(rules.MISSING_FLOWS, _flows_span(report), path=entry)
    if not project.settings.flows and report.ok:
        called = click.get_current_context(silent=True)
        command = (called and called.info_name) or "compile"
        report.error(rules.NO_FLOWS_SET, _flows_span(report), command=command)
    return tuple(dict.fromkeys(names))


def _flows_span(report: Report) -> Span | None:
    from perdure.settings import setting_span

    source = report.sources.get(PYPROJECT)
    return setting_span(source, "flows") if source else None


def _with_flows(folder: Path, workspace: "Workspace") -> list[FlowName]:
    """The files below a folder that have a flow; others of the project may lie between them."""
    from perdure.driver import has_flows

    made = _Made(workspace.project.out)
    found = [
        path
        for path in sorted(folder.rglob("*.py"))
        if _may_have_flows(path, folder) and not made.holds(path, folder)
    ]
    return [FlowName(path) for path in found if has_flows(workspace, path)]


@final
class _Made:
    """What `compile` wrote: Python too, but nobody's source."""

    def __init__(self, out: Path) -> None:
        self._known: dict[Path, bool] = {out: True}

    def holds(self, path: Path, top: Path) -> bool:
        """Whether a file lies in a folder, below `top`, that was written by `compile`."""
        for folder in path.parents:
            if folder == top:
                return False
            if folder not in self._known:
                self._known[folder] = is_ours(folder)
            if self._known[folder]:
                return True
        return False


def _may_have_flows(path: Path, folder: Path) -> bool:
    """A quick look before parsing: whoever marks a flow imports `flow`, or `perdure`."""
    if any(part.startswith(".") for part in path.relative_to(folder).parts):
        return False
    if not path.is_file():
        return False
    return b"perdure" in path.read_bytes()
