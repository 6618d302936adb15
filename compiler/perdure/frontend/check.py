"""The one entry of the front end: a file and the name of a flow come in, an `Analysis` goes out.

Every problem is in its `report`, all of them at once; whatever the text, nothing is raised. The
user's modules are read and never imported.
"""

import os
from pathlib import Path
from typing import final

from perdure import rules
from perdure.diagnostics import Report, nearest
from perdure.frontend import after, crossing, helpers, missing, semaphores, settle
from perdure.frontend.analysis import Analysis, FunctionKind
from perdure.frontend.depth import CHECKED, room
from perdure.frontend.heads import check_heads
from perdure.frontend.hints import no_flow_hint
from perdure.frontend.meanings import Func
from perdure.frontend.resolver import Resolver
from perdure.frontend.secret_names import makes_links, read_secret_names
from perdure.frontend.secret_readers import read_readers
from perdure.frontend.triggers import read_triggers
from perdure.frontend.walk import Walk
from perdure.ir import Ref
from perdure.modules import Module, ModuleGraph
from perdure.project import Project

__all__ = ["Workspace", "check", "flows_of"]


@final
class Workspace:
    """The modules of a project read so far: shared by the checks of several of its flows."""

    def __init__(self, project: Project, report: Report | None = None) -> None:
        self.project = project
        self.report = report if report is not None else Report()
        self.graph = ModuleGraph(project, self.report)
        self.resolver = Resolver(self.graph)
        self._heads: set[str] = set()
        self._imports: dict[str, bool] = {}
        self._loaded: dict[Path, Module | None] = {}

    def check_heads(self, module: Module) -> None:
        """Refuse, once, flows of a reached module that keep it from being imported."""
        if module.name not in self._heads:
            self._heads.add(module.name)
            self.graph.check_name(module)
            check_heads(module, flows_of(self, module), self.report)

    def check_imports(self, module: Module) -> bool:
        """Whether a module's imports find what they name; refused, once, where they do not."""
        if module.name not in self._imports:
            self._imports[module.name] = missing.check_imports(module, self.resolver)
        return self._imports[module.name]

    def load(self, file: Path, text: str | None = None) -> Module | None:
        """The module of a file; None if it cannot be read."""
        file = Path(os.path.abspath(file))
        if file not in self._loaded:
            self._loaded[file] = self.graph.load(file, text)
        return self._loaded[file]


def check(
    project: Project,
    file: Path,
    flow: str | None = None,
    *,
    text: str | None = None,
    workspace: Workspace | None = None,
) -> Analysis:
    """Analyse one flow of a file (its only one, if it is not named) and all that it reaches."""
    workspace = workspace or Workspace(project)
    module = workspace.load(file, text)
    if module is None:
        return Analysis(project, Ref("", flow or ""), workspace.report)
    entry = _entry(workspace, module, flow)
    if entry is None:
        return Analysis(project, Ref(module.name, flow or ""), workspace.report)
    analysis = Analysis(project, entry.ref, workspace.report)
    analysis.modules[module.name] = module
    try:
        with room(CHECKED):
            _analyse(workspace, entry, analysis)
    except (RecursionError, MemoryError):
        workspace.report.error(rules.TOO_DEEP, module.source.line_span(1))
    return analysis


def _analyse(workspace: Workspace, entry: Func, analysis: Analysis) -> None:
    analysis.closure = workspace.graph.closure(entry.module)
    found = [workspace.check_imports(module) for module in analysis.closure]
    if not all(found):
        return  # what a missing name means, nobody can tell
    walk = Walk(workspace.project, workspace.resolver, workspace.report)
    walk.reach(entry)
    walk.run()
    settle.settle(walk, analysis)
    after.check(walk)
    helpers.check(walk)
    semaphores.check(walk)
    for module in walk.modules.values():
        workspace.check_heads(module)
    crossing.check(walk, analysis)
    analysis.triggers = read_triggers(workspace.resolver, entry, workspace.report)
    analysis.secrets = read_secret_names(workspace.resolver, analysis.closure, workspace.report)
    analysis.readers = read_readers(analysis, entry)
    analysis.links = makes_links(workspace.resolver, analysis.closure)


def flows_of(workspace: Workspace, module: Module) -> tuple[Func, ...]:
    """The flows that a module defines, in source order."""
    resolver = workspace.resolver
    found: list[Func] = []
    for name in resolver.symbols(module).bindings:
        meaning = resolver.member(module, name)
        if (
            isinstance(meaning, Func)
            and meaning.kind is FunctionKind.FLOW
            and meaning.module is module
        ):
            found.append(meaning)
    return tuple(dict.fromkeys(found))


def _entry(workspace: Workspace, module: Module, name: str | None) -> Func | None:
    flows = flows_of(workspace, module)
    file = module.source.path
    names = [func.ref.qualname for func in flows]
    if not flows:
        workspace.report.error(rules.NO_FLOW, None, file=file, hint=no_flow_hint(module.tree))
        return None
    if name is None and len(flows) == 1:
        return flows[0]
    for func in flows:
        if func.ref.qualname == name:
            return func
    close = nearest(name or "", names) if name else None
    choices = [close] if close else names
    suggestion = " or ".join(f"`{file}:{choice}`" for choice in choices)
    workspace.report.error(
        rules.UNKNOWN_FLOW, None, file=file, name=name or "", suggestion=suggestion
    )
    return None
