"""The target `azure`: from a program to an Azure Functions project.

function_app.py, host.json, requirements.txt
<project modules>     flows and helpers printed from the Flow IR, all else as written
perdure/, perdure_azure/   the runtime
"""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Literal, final

from perdure.backend import Artifacts, Limits
from perdure.diagnostics import InternalError, Report
from perdure.explain.explained import explained
from perdure.explain.model import Explanation
from perdure.frontend.analysis import Analysis
from perdure.frontend.check import Workspace
from perdure.frontend.check import check as analyse
from perdure.ir import Program
from perdure.machine.ir import Machines
from perdure.machine.policies import Policies
from perdure.project import Project
from perdure_azure.app import app_files
from perdure_azure.bundle import runtime_files
from perdure_azure.checks import check
from perdure_azure.explained import AzureExplainer
from perdure_azure.limits import LIMITS
from perdure_azure.printed import print_modules

__all__ = ["AzureTarget"]

UNLIMITED = 10**9
"""Seconds of an activity: the plan of the app says how long one may take, not this table."""


@final
class AzureTarget:
    """See `perdure.backend.CodeTarget`."""

    family: Literal["code"] = "code"
    name: str = "azure"
    limits: Limits = LIMITS
    keeps_whole_statements: bool = True
    """`Unlowered` statements are code, and are printed like all other code."""
    has_door: bool = False

    def oldest_python(self, project: Project) -> tuple[int, int]:
        """SDK 1 takes every Python that this project takes."""
        return 3, 12 if project.settings.azure_sdk == 1 else LIMITS["python_minor"].value

    def check(self, program: Program, report: Report) -> None:
        """Report what is not run exactly, at its line."""
        check(program, report)

    def lower(self, program: Program, project: Project) -> Artifacts:
        """The project of the entry flow."""
        workspace = Workspace(project, Report())
        analysis = _analysis(program, workspace)
        files: dict[str, str | bytes] = {}
        files.update(app_files(program, [*analysis.modules], project))
        for module in workspace.graph.modules.values():
            # What only step bodies import goes along as it is.
            files[module.source.path] = module.source.text
        for path in [*files]:
            files.update(_packages(path, files))
        files.update(print_modules(program, analysis))
        files.update(runtime_files(project.settings.azure_sdk))
        return dict(sorted(files.items()))

    def explain(self, machines: Machines) -> Explanation:
        """Where lines run, why, and what ways cost."""
        retried = [machine.ref for machine in machines.machines if machine.retried]
        policies = Policies(machines.steps, retried, invocation=UNLIMITED)
        return explained("azure", machines, AzureExplainer(policies))


def _packages(path: str, files: Mapping[str, str | bytes]) -> Iterator[tuple[str, str]]:
    """Folders without `__init__.py` get one: else any regular package of the name goes first."""
    for folder in PurePosixPath(path).parents:
        package = f"{folder}/__init__.py"
        if path.endswith(".py") and str(folder) != "." and package not in files:
            yield package, ""


def _analysis(program: Program, workspace: Workspace) -> Analysis:
    """The facts the program was built from, for the code that is in no function of the IR."""
    project = workspace.project
    for path, text in program.sources:
        workspace.load(project.root / path, text)
        for folder in PurePosixPath(path).parents:
            package = project.root / folder / "__init__.py"
            if str(folder) != "." and package.is_file():
                workspace.load(package)
    entry = next(path for path, _ in program.sources if path == program.functions[0].span.file)
    analysis = analyse(project, project.root / entry, program.entry.qualname, workspace=workspace)
    if not analysis.ok:
        raise InternalError("a program that was built is refused", during="lower for azure")
    return analysis
