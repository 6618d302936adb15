"""From files to artifacts: the stages, in order.

    source -> ast -> Analysis -> Program (Flow IR, passes) -> code target
                                         -> Machines (Machine IR, passes) -> machine target

A stage adds its problems to the report; the next one runs only when there are none.
"""

import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, final

from perdure import rules
from perdure.diagnostics import InternalError, Report, Secondary, nearest
from perdure.modules import Module
from perdure.project import PYPROJECT, Project, find_project
from perdure.source import Span

if TYPE_CHECKING:
    from perdure.backend import Artifacts, CodeTarget, MachineTarget, Target
    from perdure.explain.model import Explanation
    from perdure.frontend.analysis import Analysis
    from perdure.frontend.check import Workspace
    from perdure.frontend.meanings import Func
    from perdure.ir import Program
    from perdure.machine.ir import Machines

__all__ = [
    "Compiled",
    "FlowName",
    "analyse",
    "build_machines",
    "build_program",
    "check_code",
    "check_flow",
    "check_source",
    "compile_flows",
    "emit",
    "explain_program",
    "find_flows",
    "has_flows",
    "open_project",
    "print_ir",
    "refuse_taken",
    "split_flow",
    "stage",
    "stages",
    "which_flow",
]

DEPTH = 20_000
"""Frames that the passes may use: a chain of a thousand `elif` is a tree as deep."""


@final
class FlowName(NamedTuple):
    """`FILE[:FLOW]` as people write it."""

    path: Path
    name: str | None = None

    def __str__(self) -> str:
        return f"{self.path}:{self.name}" if self.name else str(self.path)


@final
class Compiled(NamedTuple):
    """One flow, compiled for one target."""

    flow: str
    target: str
    artifacts: "Artifacts"
    span: Span
    """Of the flow; its file is the one the artifacts come from."""


def compile_flows(
    names: Sequence[FlowName], targets: "Sequence[Target]", workspace: "Workspace"
) -> tuple[Compiled, ...]:
    """The artifacts of the named flows, for every target; () when something was reported."""
    report, project = workspace.report, workspace.project
    flows = [flow for name in names for flow in find_flows(workspace, name)]
    _refuse_duplicates(flows, report)
    analyses = [analyse(workspace, flow) for flow in flows]
    programs = [build_program(analysis, report) for analysis in analyses if report.ok]
    _check_secrets([program for program in programs if program], project, report)
    for target in targets:
        _check_triggers([program for program in programs if program], target, project, report)
    compiled = [
        Compiled(
            program.entry.qualname,
            target.name,
            emit(program, target, project, report),
            program.functions[0].span,
        )
        for target in targets
        for program in programs
        if program
    ]
    return tuple(compiled) if report.ok else ()


def _check_secrets(programs: "Sequence[Program]", project: Project, report: Report) -> None:
    """A secret's value stands in no file that is deployed, whatever the environment."""
    from perdure.settings import environment_span

    settings = {name: one.settings for name, one in project.settings.environments.items()}
    secret = {name: one.entry.qualname for one in reversed(programs) for name in one.secrets}
    for environment, named in {**settings, "local": project.settings.local}.items():
        source = report.sources.get(PYPROJECT)
        for name in sorted(named.keys() & secret):
            span = source and environment_span(source, environment, "settings")
            report.error(
                rules.SECRET_IN_SETTINGS,
                span,
                name=name,
                flow=secret[name],
                environment=environment,
            )


def _check_triggers(
    programs: "Sequence[Program]", target: "Target", project: Project, report: Report
) -> None:
    """What starts a flow is part of what is deployed: it is never left out without a word."""
    from perdure.ir import WebhookTrigger

    largest = target.limits.get("webhook_bytes")
    # Apps of Azure's SDK 1 are deployed by hand, without a door.
    has_door = target.has_door and not (target.name == "azure" and project.settings.azure_sdk == 1)
    for trigger in (trigger for program in programs for trigger in program.triggers):
        size = trigger.max_bytes if isinstance(trigger, WebhookTrigger) else 0
        if not has_door:
            what = "webhooks" if size else "schedules"
            _not_lowered(what, trigger.span, target.name, report)
        elif largest is not None and size > largest.value:
            report.error(
                rules.LIMIT_PASSED,
                trigger.span,
                what="what this webhook takes",
                value=f"{size} bytes",
                target=target.name,
                limit=largest.value,
                remedy=f"write `max_bytes={largest.value}` or less, and fetch what is larger",
            )


def explain_program(
    program: "Program", target: "Target", project: Project, report: Report
) -> "Explanation | None":
    """What a target says of a flow that it takes; None when something was reported."""
    with stage(target.name, report, program.functions[0].span.file):
        if target.family == "code":
            check_code(program, target, project, report)
        machines = build_machines(program, target.name, report) if report.ok else None
        if machines is not None and target.family == "machine":
            target.check(machines, report)
        return target.explain(machines) if machines is not None and report.ok else None
    return None


def check_flow(name: FlowName, report: Report) -> "Analysis | None":
    """The checked facts of one flow (of the only one of its file, if no name is given)."""
    workspace = open_project(name.path, report)
    flows = find_flows(workspace, name)
    if len(flows) > 1:
        which_flow(workspace.project, name.path, flows, report)
        return None
    analyses = [analyse(workspace, flow) for flow in flows]
    return analyses[0] if analyses and report.ok else None


def which_flow(project: Project, path: Path, flows: "Sequence[Func]", report: Report) -> None:
    """Report that one flow of a file is needed, and which there are."""
    file = project.display(path.absolute())
    choices = " or ".join(f"`{file}:{flow.ref.qualname}`" for flow in flows)
    report.error(rules.WHICH_FLOW, None, file=file, count=len(flows), choices=choices)


def check_source(text: str, file: str = "flow.py", *, root: Path | None = None) -> Report:
    """Everything that is wrong with a text, as if it were the file of that name in a project."""
    from perdure.frontend.check import Workspace

    report = Report()
    project = Project(root if root is not None else Path(__file__).parent / "no project")
    workspace = Workspace(project, report)
    with stage("read", report, file):
        workspace.load(project.root / file, text)
    for flow in find_flows(workspace, FlowName(project.root / file)):
        analysis = analyse(workspace, flow)
        if report.ok:
            build_program(analysis, report)
    return report


def split_flow(text: str) -> FlowName:
    """`flows/triage.py:triage`; a file whose own name holds a colon is taken as it is."""
    path, colon, name = text.rpartition(":")
    if colon and name.isidentifier() and not Path(text).exists():
        return FlowName(Path(path), name)
    return FlowName(Path(text))


def open_project(path: Path, report: Report) -> "Workspace":
    """The project that a path belongs to, with nothing read yet but its settings."""
    from perdure.frontend.check import Workspace

    return Workspace(find_project(path, report), report)


def find_flows(workspace: "Workspace", name: FlowName) -> "tuple[Func, ...]":
    """The flows that a name means, all of a file or one; finding none is reported."""
    from perdure.frontend.check import flows_of

    path = name.path.absolute()
    module: Module | None = None
    flows: tuple[Func, ...] = ()
    with stage("read", workspace.report, workspace.project.display(path)):
        module = workspace.load(path)
        flows = flows_of(workspace, module) if module else ()
    chosen = tuple(flow for flow in flows if name.name in (None, flow.ref.qualname))
    if module is not None and not chosen:
        _no_flow(workspace.report, module, name.name, flows)
    return chosen


def has_flows(workspace: "Workspace", path: Path) -> bool:
    """Whether a file has flows, or cannot be read, which is reported."""
    from perdure.frontend.check import flows_of

    with stage("read", workspace.report, workspace.project.display(path)):
        module = workspace.load(path)
        return module is None or bool(flows_of(workspace, module))
    return True


def analyse(workspace: "Workspace", flow: "Func") -> "Analysis":
    """The front end's facts about a flow and everything it reaches; problems are reported."""
    from perdure.frontend.check import check

    with _own_fault("check"):
        return check(workspace.project, flow.module.path, flow.ref.qualname, workspace=workspace)


def build_program(
    analysis: "Analysis", report: Report, *, until: str | None = None
) -> "Program | None":
    """The Flow IR of a checked flow, after all its passes, verified after each.

    `until` names the last pass to run.
    """
    from perdure.frontend.build import build
    from perdure.passes import FLOW_PASSES
    from perdure.verify import verify

    with stage("build", report, analysis.modules[analysis.entry.module].source.path):
        program = build(analysis)
        verify(program, after="build")
        for name, run in () if until == "build" else FLOW_PASSES:
            program = run(program)
            verify(program, after=name)
            if name == until:
                break
        return program if report.ok else None
    return None


def build_machines(
    program: "Program", target: str, report: Report, *, until: str | None = None
) -> "Machines | None":
    """The Machine IR of a program; what is not taken apart yet is refused with its line.

    `until` names the last pass to run.
    """
    from perdure.machine.build import MACHINE_PASSES
    from perdure.machine.lower import lower
    from perdure.machine.verify import verify

    with stage("lower", report, program.functions[0].span.file):
        machines = lower(program)
        verify(machines, after="lower")
        for run in () if until == "lower" else MACHINE_PASSES:
            machines = run(machines)
            verify(machines, after=run.__name__)
            if run.__name__ == until:
                break
        for what, span in dict.fromkeys((one.what, one.span) for one in machines.refusals):
            _not_lowered(what, span, target, report)
        return None if machines.refusals else machines
    return None


def emit(program: "Program", target: "Target", project: Project, report: Report) -> "Artifacts":
    """The artifacts of a program for one target; empty when something was reported."""
    with stage(target.name, report, program.functions[0].span.file):
        if target.family == "machine":
            return _emit_machine(program, target, project, report)
        return _emit_code(program, target, project, report)
    return {}


def _emit_machine(
    program: "Program", target: "MachineTarget", project: Project, report: Report
) -> "Artifacts":
    machines = build_machines(program, target.name, report)
    if machines is not None:
        target.check(machines, report)
    return target.lower(machines, program, project) if machines and report.ok else {}


def _emit_code(
    program: "Program", target: "CodeTarget", project: Project, report: Report
) -> "Artifacts":
    check_code(program, target, project, report)
    return target.lower(program, project) if report.ok else {}


def check_code(program: "Program", target: "CodeTarget", project: Project, report: Report) -> None:
    """Report what a code target refuses of a program."""
    from perdure.ir import Unlowered
    from perdure.passes.blocks import children

    pending = [stmt for function in program.functions for stmt in function.body]
    while pending:
        stmt = pending.pop()
        if isinstance(stmt, Unlowered) and not target.keeps_whole_statements:
            _not_lowered(stmt.what, stmt.span, target.name, report)
        pending.extend(inner for block in children(stmt) for inner in block)
    oldest = target.oldest_python(project)
    if project.python < oldest:
        needed = ".".join(map(str, oldest))
        report.error(
            rules.PYTHON_NOT_OFFERED,
            _pin_span(report),
            target=target.name,
            needed=f"{needed} or newer",
            pinned=project.minor,
            offered=needed,
        )
    target.check(program, report)


def _pin_span(report: Report) -> Span | None:
    from perdure.settings import setting_span

    source = report.sources.get(PYPROJECT)
    return setting_span(source, "python") if source else None


def _not_lowered(what: str, span: Span, target: str, report: Report) -> None:
    report.error(rules.NOT_LOWERED, span, target=target, what=what, line=span.line)


@contextmanager
def stage(name: str, report: Report, file: str) -> Generator[None]:
    """What every stage runs in: stack enough for deep trees, a diagnostic for deeper ones, and
    any other error named as the fault of ours that it is."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, DEPTH))
    try:
        with _own_fault(name):
            yield
    except (RecursionError, MemoryError):
        report.error(rules.TOO_DEEP, Span(file, 1, 0, 1, 1))
    finally:
        sys.setrecursionlimit(before)


@contextmanager
def _own_fault(during: str) -> Generator[None]:
    try:
        yield
    except (InternalError, RecursionError, MemoryError):
        raise
    except Exception as error:
        raise InternalError(f"{type(error).__name__}: {error}", during=during) from error


def _no_flow(report: Report, module: Module, name: str | None, flows: "Sequence[Func]") -> None:
    from perdure.frontend.hints import no_flow_hint

    span, file = module.source.line_span(1), module.source.path
    if name is None or not flows:
        report.error(rules.NO_FLOW, span, file=file, hint=no_flow_hint(module.tree))
        return
    names = [flow.ref.qualname for flow in flows]
    meant = nearest(name, names)
    ordered = sorted(names, key=lambda known: known != meant)
    suggestion = " or ".join(f"`{file}:{known}`" for known in ordered)
    report.error(rules.UNKNOWN_FLOW, span, file=file, name=name, suggestion=suggestion)


def _refuse_duplicates(flows: "Sequence[Func]", report: Report) -> None:
    seen: dict[str, Func] = {}
    for flow in flows:
        first = seen.setdefault(flow.ref.qualname, flow)
        if first.ref != flow.ref:
            also = [Secondary(_header(first), "the other one")]
            report.error(rules.DUPLICATE_FLOW, _header(flow), also=also, name=flow.ref.qualname)


def refuse_taken(one: Compiled, source: str, folder: str, workspace: "Workspace") -> None:
    """Report that a flow's folder belongs to a flow of that name in another file.

    `source`: that file, from the project root; nothing is wrong if it has no such flow any more.
    """
    from perdure.frontend.check import Workspace, flows_of

    project, report = workspace.project, workspace.report
    reader = Workspace(project, Report())
    if source == one.span.file or not (project.root / source).is_file():
        return
    module = reader.load(project.root / source)
    for flow in flows_of(reader, module) if module else ():
        if flow.ref.qualname == one.flow:
            report.add_source(flow.module.source)
            also = [Secondary(_header(flow), f"this one is in `{folder}`")]
            report.error(rules.DUPLICATE_FLOW, one.span, also=also, name=one.flow)


def _header(flow: "Func") -> Span:
    source = flow.module.source
    return source.header_span(flow.node) if flow.node else source.line_span(1)


def stages() -> tuple[str, ...]:
    """The names that `perdure ir --after` takes, in the order of the pipeline."""
    from perdure.passes import FLOW_PASSES

    return ("build", *(name for name, _ in FLOW_PASSES), *_machine_stages())


def _machine_stages() -> tuple[str, ...]:
    from perdure.machine.build import MACHINE_PASSES

    return ("lower", *(run.__name__ for run in MACHINE_PASSES))


def print_ir(workspace: "Workspace", flow: "Func", after: str | None) -> str:
    """A flow as it is after a stage, printed; "" when something was reported."""
    report = workspace.report
    analysis = analyse(workspace, flow)
    program = build_program(analysis, report, until=after) if report.ok else None
    if program is None:
        return ""
    if after not in _machine_stages():
        from perdure.printer import format_program

        return format_program(program)
    from perdure.machine.printer import format_machine

    machines = build_machines(program, "machine", report, until=after)
    return "\n".join(map(format_machine, machines.machines)) if machines else ""
