"""Which flows a command means: those named on the command line, else those of the project."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, final

import click

from perdure import rules
from perdure.cli.output import open_workspace
from perdure.diagnostics import Report
from perdure.driver import FlowName, split_flow
from perdure.project import PYPROJECT, Project
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
        return Chosen(workspace, _of_project(workspace.project, report), True)
    names = [split_flow(text) for text in files]
    workspace = open_workspace(names[0].path, report)
    for name in names:
        if open_workspace(name.path, report).project.root != workspace.project.root:
            raise click.UsageError(f"`{names[0].path}` and `{name.path}` are of two projects")
    expanded = [found for name in names for found in _expanded(name)]
    return Chosen(workspace, tuple(dict.fromkeys(expanded)), False)


def _expanded(name: FlowName) -> Iterator[FlowName]:
    if not name.path.is_dir():
        yield name
        return
    found = [*_with_flows(name.path)]
    if not found:
        raise click.UsageError(f"no file below `{name.path}` has a flow")
    yield from found


def _of_project(project: Project, report: Report) -> tuple[FlowName, ...]:
    names: list[FlowName] = []
    for entry in project.settings.flows:
        path = project.root / entry
        if path.is_dir():
            names += _with_flows(path)
        elif path.is_file():
            names.append(FlowName(path))
        else:
            report.error(rules.MISSING_FLOWS, _flows_span(report), path=entry)
    if not project.settings.flows and report.ok:
        report.error(rules.NO_FLOWS_SET, _flows_span(report))
    return tuple(dict.fromkeys(names))


def _flows_span(report: Report) -> Span | None:
    from perdure.settings import setting_span

    source = report.sources.get(PYPROJECT)
    return setting_span(source, "flows") if source else None


def _with_flows(folder: Path) -> Iterator[FlowName]:
    """The files below a folder that mark a flow; others of the project may lie between them."""
    for path in sorted(folder.rglob("*.py")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not hidden and _marks_flow(path.read_bytes()):
            yield FlowName(path)


def _marks_flow(data: bytes) -> bool:
    """Whether a line is a decorator that ends in `flow`, as text: parsing decides what it is."""
    lines = (line.strip() for line in data.splitlines() if b"flow" in line)
    return any(_is_mark(line) for line in lines)


def _is_mark(line: bytes) -> bool:
    name = line.removeprefix(b"@").partition(b"(")[0].partition(b"#")[0].strip()
    return line.startswith(b"@") and name.rpartition(b".")[2] == b"flow"
