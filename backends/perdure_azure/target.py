"""The target `azure`: from a program to an Azure Functions project.

function_app.py, host.json, requirements.txt
<project modules>     flows and helpers printed from the Flow IR, all else as written
perdure/, perdure_azure/   the runtime
perdure_bundle.json   what is in it: versions, flow, functions, secrets, digests

and beside the project, for who deploys it: template.json, environment.json, source.json
"""

import json
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Literal, final

from perdure import __version__
from perdure.backend import Artifacts, Limits
from perdure.codec import VERSION as CODEC_VERSION
from perdure.codec.text import Json
from perdure.copies import SourceCopy
from perdure.diagnostics import InternalError, Report
from perdure.explain.explained import explained
from perdure.explain.model import Explanation
from perdure.frontend.analysis import Analysis
from perdure.frontend.check import Workspace
from perdure.frontend.check import check as analyse
from perdure.ir import Program, WebhookTrigger
from perdure.machine.ir import Machines
from perdure.machine.policies import Policies
from perdure.project import PYPROJECT, Project
from perdure_azure.app import app_files, functions_of, has_door
from perdure_azure.arm.environment import environment_template
from perdure_azure.arm.flow import Needs, flow_template
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
    has_door: bool = True

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
        own = frozenset(files)
        for module in workspace.graph.modules.values():
            # What only step bodies import goes along as it is.
            files[module.source.path] = module.source.text
        for path in [*files]:
            files.update(_packages(path, files))
        sources = {path: text for path, text in files.items() if path not in own}
        files.update(print_modules(program, analysis))
        files.update(runtime_files(project.settings.azure_sdk, has_door=has_door(program)))
        copy = _copy(program, {path: str(text) for path, text in sources.items()}, project)
        files["perdure_bundle.json"] = _json(_about(program, project, copy))
        if project.settings.azure_sdk == 2:
            files.update(_deployed(program, project, copy))
        return dict(sorted(files.items()))

    def explain(self, machines: Machines) -> Explanation:
        """Where lines run, why, and what ways cost."""
        retried = [machine.ref for machine in machines.machines if machine.retried]
        policies = Policies(machines.steps, retried, invocation=UNLIMITED)
        return explained("azure", machines, AzureExplainer(policies))


def _copy(program: Program, sources: Mapping[str, str], project: Project) -> bytes:
    """What is kept of the source of the flow's runs; of the settings, those that say what it
    means."""
    settings = {"python": project.minor, "pure": sorted(project.settings.pure)}
    lines = [f"{name} = {json.dumps(value)}\n" for name, value in settings.items()]
    text = "[tool.perdure]\n" + "".join(lines)
    flow = program.functions[0]
    files = {**sources, PYPROJECT: text}
    return SourceCopy(flow.span.file, flow.ref.qualname, files).encoded()


def _about(program: Program, project: Project, copy: bytes) -> dict[str, Json]:
    """What the app itself, and who deploys it, need to know."""
    orchestrators, activities = functions_of(program)
    return {
        "format": 1,
        "perdure": __version__,
        "python": project.minor,
        "codec": CODEC_VERSION,
        "flow": str(program.functions[0].ref),
        "source": sha256(copy).hexdigest(),
        "orchestrators": [*orchestrators],
        "activities": [*activities],
        "secrets": [*program.secrets],
        "links": program.links,
        "webhooks": [one.path for one in program.triggers if isinstance(one, WebhookTrigger)],
        "events": [[one.name, one.module, one.type] for one in program.events],
    }


def _deployed(program: Program, project: Project, copy: bytes) -> dict[str, str | bytes]:
    """What deploys the app; it is no part of it."""
    secrets = tuple(program.secrets)
    needs = Needs(program.functions[0].ref.qualname, project.minor, secrets, program.links)
    return {
        "environment.json": _json(environment_template()),
        "source.json": copy,
        "template.json": _json(flow_template(needs)),
    }


def _json(document: Json) -> str:
    return json.dumps(document, indent=2) + "\n"


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
