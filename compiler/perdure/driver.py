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
from perdure.diagnostics import InternalError, Report, nearest
from perdure.modules import Module, ModuleGraph
from perdure.project import Project, find_project
from perdure.source import Span

if TYPE_CHECKING:
    from perdure.backend import Artifacts, CodeTarget, MachineTarget, Target
    from perdure.flow import Program, Ref
    from perdure.frontend.analysis import Analysis
    from perdure.machine.ir import Machines

__all__ = [
    "Compiled",
    "FlowName",
    "analyse",
    "build_machines",
    "build_program",
    "check_flow",
    "check_source",
    "compile_flows",
    "emit",
    "find_flows",
    "open_project",
    "print_ir",
    "split_flow",
    "stage",
    "stages",
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


def compile_flows(
    names: Sequence[FlowName], targets: "Sequence[Target]", graph: ModuleGraph
) -> tuple[Compiled, ...]:
    """The artifacts of the named flows, for every target; () when something was reported."""
    report = graph.report
    refs = [ref for name in names for ref in find_flows(graph, name)]
    _refuse_duplicates(graph, refs)
    analyses = [analyse(graph, ref) for ref in refs]
    programs = [build_program(analysis, report) for analysis in analyses if analysis and report.ok]
    compiled = [
        Compiled(program.entry.qualname, target.name, emit(program, target, graph.project, report))
        for target in targets
        for program in programs
        if program
    ]
    return tuple(compiled) if report.ok else ()


def check_flow(name: FlowName, report: Report) -> "Analysis | None":
    """The checked facts of one flow (of the only one of its file, if no name is given)."""
    graph = open_project(name.path, report)
    refs = find_flows(graph, name)
    if len(refs) > 1:
        file = graph.project.display(name.path.absolute())
        choices = " or ".join(f"`{file}:{ref.qualname}`" for ref in refs)
        report.error(rules.WHICH_FLOW, None, file=file, count=len(refs), choices=choices)
        return None
    analyses = [analyse(graph, ref) for ref in refs]
    return analyses[0] if analyses and report.ok else None


def check_source(text: str, file: str = "flow.py", *, root: Path | None = None) -> Report:
    """Everything that is wrong with a text, as if it were the file of that name in a project."""
    report = Report()
    project = Project(root if root is not None else Path(__file__).parent / "no project")
    graph = ModuleGraph(project, report)
    with stage("read", report, file):
        graph.load(project.root / file, text)
    for ref in find_flows(graph, FlowName(project.root / file)):
        analysis = analyse(graph, ref)
        if analysis is not None and report.ok:
            build_program(analysis, report)
    return report


def split_flow(text: str) -> FlowName:
    """`flows/triage.py:triage`; a file whose own name holds a colon is taken as it is."""
    path, colon, name = text.rpartition(":")
    if colon and name.isidentifier() and not Path(text).exists():
        return FlowName(Path(path), name)
    return FlowName(Path(text))


def open_project(path: Path, report: Report) -> ModuleGraph:
    """The project that a path belongs to, with nothing read yet but its settings."""
    return ModuleGraph(find_project(path, report), report)


def find_flows(graph: ModuleGraph, name: FlowName) -> "tuple[Ref, ...]":
    """The flows that a name means, all of a file or one; finding none is reported."""
    from perdure.frontend.check import flows

    module: Module | None = None
    refs: tuple[Ref, ...] = ()
    with stage("read", graph.report, graph.project.display(name.path.absolute())):
        module = graph.load(name.path.absolute())
        refs = flows(graph, module) if module else ()
    chosen = tuple(ref for ref in refs if name.name is None or ref.qualname == name.name)
    if module is not None and not chosen:
        _no_flow(graph.report, module, name.name, refs)
    return chosen


def analyse(graph: ModuleGraph, flow: "Ref") -> "Analysis | None":
    """The front end's facts about a flow and everything it reaches; problems are reported."""
    from perdure.frontend.check import check

    with stage("check", graph.report, _file_of(graph, flow)):
        return check(graph, flow)
    return None


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


def build_machines(program: "Program", target: str, report: Report) -> "Machines | None":
    """The Machine IR of a program; what is not taken apart yet is refused with its line."""
    from perdure.machine.lower import lower

    with stage("lower", report, program.functions[0].span.file):
        machines = lower(program)
        for refusal in machines.refusals:
            report.error(
                rules.NOT_LOWERED,
                refusal.span,
                target=target,
                what=refusal.what,
                line=refusal.span.line,
            )
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
    target.check(program, report)
    return target.lower(program, project) if report.ok else {}


@contextmanager
def stage(name: str, report: Report, file: str) -> Generator[None]:
    """What every stage runs in: stack enough for deep trees, a diagnostic for deeper ones, and
    any other error named as the fault of ours that it is."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, DEPTH))
    try:
        yield
    except InternalError:
        raise
    except (RecursionError, MemoryError):
        report.error(rules.TOO_DEEP, Span(file, 1, 0, 1, 1))
    except Exception as error:
        raise InternalError(f"{type(error).__name__}: {error}", during=name) from error
    finally:
        sys.setrecursionlimit(before)


def _no_flow(report: Report, module: Module, name: str | None, refs: "Sequence[Ref]") -> None:
    span, file = module.source.line_span(1), module.source.path
    if name is None or not refs:
        report.error(rules.NO_FLOW, span, file=file)
        return
    names = [ref.qualname for ref in refs]
    suggestion = f"`{file}:{nearest(name, names) or names[0]}`"
    report.error(rules.UNKNOWN_FLOW, span, file=file, name=name, suggestion=suggestion)


def _refuse_duplicates(graph: ModuleGraph, refs: "Sequence[Ref]") -> None:
    seen: dict[str, Ref] = {}
    for ref in refs:
        if seen.setdefault(ref.qualname, ref) != ref:
            module = graph.find(ref.module)
            span = module.source.line_span(1) if module else None
            graph.report.error(rules.DUPLICATE_FLOW, span, name=ref.qualname)


def _file_of(graph: ModuleGraph, flow: "Ref") -> str:
    module = graph.find(flow.module)
    return module.source.path if module else flow.module


def stages() -> tuple[str, ...]:
    """The names that `perdure ir --after` takes, in the order of the pipeline."""
    from perdure.passes import FLOW_PASSES

    return ("build", *(name for name, _ in FLOW_PASSES), "lower")


def print_ir(graph: ModuleGraph, flow: "Ref", after: str | None) -> str:
    """A flow as it is after a stage, printed; "" when something was reported."""
    analysis = analyse(graph, flow)
    program = build_program(analysis, graph.report, until=after) if analysis else None
    if program is None or not graph.report.ok:
        return ""
    if after != "lower":
        from perdure.printer import format_program

        return format_program(program)
    from perdure.machine.printer import format_machines

    machines = build_machines(program, "machine", graph.report)
    return format_machines(machines) if machines else ""
