# pyright: reportPrivateUsage=false
# (what is compiled twice elsewhere is shared here)
"""One program on the reference and every engine, as fast as that goes.

The same stages as `perdure.testing.run`, but the front end looks at a program once for all
engines, nothing is written to disk, and the bundle is not packed: its modules are imported from
their texts. What every engine checks of a definition before it starts is left to other tests.
"""

import asyncio
import importlib
import traceback
import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import final

import perdure_aws.engine.simulation as moto
from perdure.diagnostics import Refused, Report
from perdure.driver import build_machines, build_program, check_code
from perdure.errors import LimitExceeded
from perdure.frontend.analysis import Analysis
from perdure.frontend.check import Workspace, check
from perdure.frontend.loader import load
from perdure.ir import Program as FlowIr
from perdure.local.virtual import run_flow as run_local
from perdure.machine.ir import Machines
from perdure.project import Project
from perdure.reference.runner import run_loaded as run_reference
from perdure.runtime.functions import ModuleFunctions
from perdure.testing import Result, ScriptedEvent, ScriptError
from perdure.testing.bundles import Loaded
from perdure.testing.request import Request
from perdure.testing.scripts import Scripts
from perdure.testing.spans import Spans
from perdure.trace import compare
from perdure_aws.engine.flows import run_loaded as run_aws
from perdure_aws.engine.patches import Patches
from perdure_aws.target import AwsTarget
from perdure_azure.app import app_files
from perdure_azure.engine.runner import run_loaded as run_azure
from perdure_azure.printed import print_modules
from perdure_azure.target import AzureTarget
from perdure_gcp.engine.flows import run_loaded as run_gcp
from perdure_gcp.target import GcpTarget, _compact, _workflows, sites_of
from perdure_gcp.workflows import Unverified
from tests.differential.harness import Program, Verdict
from tests.proof.imports import imported
from tests.proof.source import FILE, scripts, source_of

__all__ = [
    "ALL",
    "QUICK",
    "Compiled",
    "compiled",
    "differences",
    "judge",
    "judge_compiled",
    "leave_out_validation",
    "refusals",
]

QUICK = ("local", "aws/moto")
ALL = (*QUICK, "gcp/workflows", "azure/memory")
ROOT = Path(__file__).parent / "no project"


@final
class Compiled:
    """A program that the front end took, for any number of runs."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.text = source_of(program)
        self.project = Project(ROOT)
        self.report = Report()
        workspace = Workspace(self.project, self.report)
        self.analysis: Analysis = check(
            self.project, ROOT / FILE, "main", text=self.text, workspace=workspace
        )
        if not self.report.ok:
            raise Refused(self.report)
        self.loaded = load(self.project, ROOT / FILE, "main", analysis=self.analysis)
        self.known = {step.name for step in self.analysis.steps.values()}
        self._ir: FlowIr | None = None
        self._machines: Machines | None = None
        self._sites: dict[str, str] | None = None

    def request(self) -> Request:
        """A fresh one: scripts remember what they were asked."""
        program = self.program
        answers = {name: script for name, script in scripts().items() if name in self.known}
        events = [ScriptedEvent(float(str(at)), name, sent) for at, name, sent in program.events]
        return Request(
            ROOT / FILE,
            "main",
            dict(program.arguments),
            Scripts(answers, "run"),
            tuple(sorted(events, key=lambda event: event.after)),
            None if program.cancel is None else float(str(program.cancel)),
            None,
            program.seed,
        )

    def ir(self) -> FlowIr:
        """Flow IR, the same for all targets."""
        if self._ir is None:
            report = Report()
            self._ir = build_program(self.analysis, report)
            if self._ir is None or not report.ok:
                raise Refused(report)
        return self._ir

    def machines(self) -> Machines:
        """Machine IR, the same for all machine targets; `Refused` where they say no."""
        if self._machines is None:
            report = Report()
            machines = build_machines(self.ir(), "aws", report)
            if machines is None or not report.ok:
                raise Refused(report)
            self._machines = machines
        return self._machines

    def sites(self) -> dict[str, str]:
        """The emitted sites, the same for all machine targets."""
        if self._sites is None:
            self._sites = sites_of(self.machines(), self.ir())
        return self._sites

    def again(self) -> "Compiled":
        """To be lowered anew: the compiler has changed meanwhile."""
        self._ir = self._machines = self._sites = None
        return self

    def emitted(self) -> tuple[object, ...]:
        """All that the target writes of the flows: two equal ones do the same."""
        built = AwsTarget()._definitions(self.machines())
        return (*self.sites().values(), *(document for _, document in built))

    def reference(self) -> Result:
        """What it means."""
        with self.loaded.active():
            return run_reference(
                self.loaded.flow, self.request(), ModuleFunctions(self.loaded.modules)
            )

    def local(self) -> Result:
        """On the local engine."""
        return run_local(self.request(), loaded=self.loaded)

    def aws(self) -> Result:
        """On moto."""
        machines, target, report = self.machines(), AwsTarget(), Report()
        target.check(machines, report)
        if not report.ok:
            raise Refused(report)
        definitions = {
            str(built.machine.ref): document for built, document in target._definitions(machines)
        }
        with _imported(self.ir(), self.sites()) as loaded:
            return run_aws(self.request(), loaded, definitions, Spans(machines, {}))

    def gcp(self) -> Result:
        """On the Workflows engine, which is strict."""
        machines, report = self.machines(), Report()
        GcpTarget().check(machines, report)
        if not report.ok:
            raise Refused(report)
        workflows = {str(one.machine.ref): _compact(one.document()) for one in _workflows(machines)}
        with _imported(self.ir(), self.sites()) as loaded:
            return run_gcp(self.request(), loaded, workflows, Spans(machines, {}), calm=True)

    def azure(self) -> Result:
        """On Microsoft's in-memory backend."""
        program, report = self.ir(), Report()
        check_code(program, AzureTarget(), self.project, report)
        if not report.ok:
            raise Refused(report)
        files = {
            **app_files(program, [*self.analysis.modules], self.project),
            **print_modules(program, self.analysis),
        }
        texts = {_dotted(path): text for path, text in files.items() if path.endswith(".py")}
        with TemporaryDirectory() as folder, _quietly(), imported(texts, f"{folder}/"):
            for path, text in files.items():
                if path.endswith(".map.json"):  # what a module reads of its own folder
                    Path(folder, path).write_text(text, encoding="utf-8")
            module = importlib.import_module("function_app")
            return run_azure(self.request(), module, str(self.analysis.entry))


def compiled(program: Program) -> Compiled:
    """The program as all engines take it; `Refused` where the front end says no."""
    return Compiled(program)


def judge(program: Program, engines: Sequence[str] = QUICK) -> dict[str, Verdict]:
    """What each engine makes of the program, the reference first."""
    names = ("reference", *engines)
    try:
        made = Compiled(program)
    except Refused as refused:
        return dict.fromkeys(names, Verdict("refused", refusals(refused)))
    except Exception:
        return dict.fromkeys(names, Verdict("crashed", traceback.format_exc()))
    return judge_compiled(made, engines)


def judge_compiled(
    made: Compiled,
    engines: Sequence[str] = QUICK,
    begins: Callable[[str], None] = lambda _: None,
) -> dict[str, Verdict]:
    """The same for a program that the front end took; `begins` is told which engine is next."""
    ways: dict[str, Callable[[], Result]] = {
        "reference": made.reference,
        "local": made.local,
        "aws/moto": made.aws,
        "gcp/workflows": made.gcp,
        "azure/memory": made.azure,
    }
    found: dict[str, Verdict] = {}
    for name in ("reference", *engines):
        begins(name)
        found[name] = _verdict(ways[name])
    whole = found["reference"].result
    if whole is not None:
        for name in engines:
            found[name] = against(whole, found[name])
    return found


def _verdict(way: Callable[[], Result]) -> Verdict:
    try:
        return Verdict("same", "", way())
    except ScriptError as error:
        return Verdict("scripted", str(error))
    except Refused as refused:
        return Verdict("refused", refusals(refused))
    except Unverified as open_question:
        return Verdict("unverified", str(open_question))
    except (Exception, asyncio.CancelledError):  # a crash of any kind is what this looks for
        return Verdict("crashed", traceback.format_exc())


def against(whole: Result, verdict: Verdict) -> Verdict:
    result = verdict.result
    if result is None:
        return verdict
    if isinstance(result.error, LimitExceeded):
        return Verdict("limited", f"at run time: {result.error}")
    lines = differences(whole, result)
    return Verdict("differs", "\n".join(lines), result) if lines else verdict


def differences(left: Result, right: Result) -> list[str]:
    """Of trace, end and log records; a branch that was cancelled logs a part of them."""
    lines = compare(left.whole_trace, right.whole_trace)
    ended = [result.whole_trace.ended or frozenset() for result in (left, right)]
    ours, theirs = _logs(left), _logs(right)
    for scope in sorted({*ours, *theirs}):
        one, other = ours.get(scope, []), theirs.get(scope, [])
        if not all(_is_whole(scope, side) for side in ended):
            least = min(len(one), len(other))
            one, other = one[:least], other[:least]
        if one != other:
            lines.append(f"logs of {scope!r}: {one} against {other}")
    return lines


def _logs(result: Result) -> dict[str, list[tuple[object, ...]]]:
    found: dict[str, list[tuple[object, ...]]] = {}
    for record in result.logs:
        found.setdefault(record.scope, []).append(tuple(record))
    return found


def _is_whole(scope: str, ended: frozenset[str]) -> bool:
    """Whether no branch around the scope was cancelled."""
    parts = scope.split("/")
    branches = ["/".join(parts[: at + 1]) for at, part in enumerate(parts) if part.endswith("]")]
    return all(branch in ended for branch in branches)


def refusals(refused: Refused) -> str:
    """The codes, with what the target cannot take."""
    found = refused.report.diagnostics
    return "\n".join(f"{problem.rule.code} {problem.message}" for problem in found)


@contextmanager
def _imported(program: FlowIr, sites: Mapping[str, str]) -> Generator[Loaded]:
    """As `active_bundle`, from texts."""
    files = {**dict(program.sources), **dict(program.recorded)}
    texts = {_dotted(path): text for path, text in files.items()}
    texts |= {f"perdure_sites.{name}": text for name, text in sites.items()}
    with imported({"perdure_sites": "__path__ = []", **texts}):
        yield Loaded([importlib.import_module(f"perdure_sites.{name}") for name in sites])


def _dotted(path: str) -> str:
    return path.removesuffix(".py").replace("/", ".")


@contextmanager
def _quietly() -> Generator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Auth level is not applied")
        yield


def _taken_as_it_is(*_: object) -> None:
    """In place of the checks."""


def leave_out_validation() -> None:
    """Definitions are not validated from here on in this process: other tests do that."""
    Patches().replace(moto, "_validate", _taken_as_it_is)
