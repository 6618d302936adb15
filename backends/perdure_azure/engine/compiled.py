"""Compiles the flow of a test request, in memory."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from perdure.backend import Artifacts
from perdure.diagnostics import Refused, Report
from perdure.driver import FlowName, analyse, build_program, emit, find_flows, open_project
from perdure.frontend.loader import RefusedError
from perdure.project import Project
from perdure_azure import backend

__all__ = ["Compiled", "compiled"]


class Compiled(NamedTuple):
    """An emitted project."""

    entry: str
    """`module:qualname` of the flow."""
    steps: tuple[str, ...]
    """The names of its steps, as scripts know them."""
    modules: tuple[str, ...]
    """The dotted names of the modules that the flow reaches."""
    files: Mapping[str, str | bytes]


def compiled(file: Path, name: str | None, *, sdk: int | None = None) -> Compiled:
    """The project of a flow; `RefusedError` says what is wrong. `sdk`: else what is set."""
    report = Report()
    workspace = open_project(file, report)
    found = find_flows(workspace, FlowName(file, name))
    if len(found) != 1:
        if report.ok:
            raise LookupError(f"{file.name} has {len(found)} flows: name one, as FILE:FLOW")
        raise Refused(report)
    analysis = analyse(workspace, found[0])
    program = build_program(analysis, report) if report.ok else None
    project = workspace.project
    if sdk is not None:
        project = project._replace(settings=project.settings._replace(azure_sdk=sdk))
    project = _for_this_python(project)
    files: Artifacts = emit(program, backend, project, report) if program else {}
    if not report.ok:
        raise RefusedError(analysis)
    steps = tuple(step.name for step in analysis.steps.values())
    return Compiled(str(analysis.entry), steps, tuple(analysis.modules), files)


def _for_this_python(project: Project) -> Project:
    """Where the project pins no Python, the one that runs the test, if Azure has it."""
    running = sys.version_info[:2]
    if project.settings.python is not None or running < backend.oldest_python(project):
        return project
    pinned = ".".join(map(str, running))
    return project._replace(settings=project.settings._replace(python=pinned))
