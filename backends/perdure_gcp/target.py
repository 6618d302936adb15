"""The target `gcp`: from machines to what is deployed.

<flow>/workflow.yaml      the workflow, to read and to deploy
<flow>/workflow.json      the same tree, in fewer bytes
<flow>/sites.py           the Python that its steps call, to read
<flow>/source-map.json    step -> file, line, column
<flow>/flows/<other>/...  the same of each flow that it awaits or starts
<flow>/bundle.zip         all that the sites' service needs: `python main.py`
<flow>/source.json        the copy of the source that the run store keeps
<flow>/deployment.json    the flow's resources on Google Cloud
<flow>/environment.json   likewise: those that all flows of an environment share
"""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Literal, final

from perdure import __version__, rules
from perdure.backend import Artifacts, Limit, Limits
from perdure.bundling import zip_of
from perdure.codec import VERSION as CODEC_VERSION
from perdure.codec import Json
from perdure.copies import SourceCopy
from perdure.diagnostics import Report
from perdure.explain.explained import explained
from perdure.explain.model import Explanation
from perdure.imported import Imported
from perdure.ir import Program, Ref
from perdure.machine.emit import emit, module_name
from perdure.machine.graph import scopes
from perdure.machine.ir import Choose, Machine, Machines
from perdure.machine.policies import Policies
from perdure.project import PYPROJECT, Environment, Project
from perdure.sites.state import VERSION as STATE_VERSION
from perdure_gcp.bundle import bundle_files
from perdure_gcp.checks import INVOCATION_SECONDS, check
from perdure_gcp.explained import GcpExplainer
from perdure_gcp.lowering import Workflow, workflow
from perdure_gcp.outside import about_outside, outside_of, starts_executions
from perdure_gcp.resources import Emitted, deployment, environment
from perdure_gcp.workflows.limits import LIMITS, value_of
from perdure_gcp.yaml_text import to_yaml

__all__ = ["SOURCE_MAP_VERSION", "GcpTarget", "folder_of"]

SOURCE_MAP_VERSION = 1

TABLE: Limits = {row.name: Limit(row.value, row.unit, row.source, row.remedy) for row in LIMITS}


@final
class GcpTarget:
    """See `perdure.backend.MachineTarget`."""

    family: Literal["machine"] = "machine"
    name = "gcp"
    limits: Limits = TABLE
    has_door = True

    def __init__(self) -> None:
        self._imported: Imported | None = None

    def check(self, machines: Machines, report: Report) -> None:
        """Report what Workflows cannot take, at its line."""
        check(machines, report)
        if report.ok:
            limit = value_of("source_bytes")
            for built in _workflows(machines):
                size = len(_compact(built.document()).encode())
                if size > limit:
                    report.error(
                        rules.DEFINITION_TOO_LARGE,
                        built.machine.span,
                        flow=built.machine.ref.qualname,
                        value=size,
                        limit=limit,
                        target="gcp",
                    )

    def lower(self, machines: Machines, program: Program, project: Project) -> Artifacts:
        """The artifacts of the entry flow, and below `flows` those of the flows it starts."""
        built = _workflows(machines)
        entry, *others = built
        inner = {
            f"{folder_of(one.machine.ref, machines)}/{name}": text
            for one in others
            for name, text in _readable(one, program).items()
        }
        outside = outside_of(program)
        sources = self._sources(program, project)
        copy = _copy(entry.machine, sources, project).encoded()
        about: dict[str, Json] = {
            "perdure": __version__,
            "python": project.minor,
            "flow": str(entry.machine.ref),
            "flows": {str(one.ref): module_name(one.ref) for one in machines.machines},
            "source": sha256(copy).hexdigest(),
            "codec": CODEC_VERSION,
            "state": STATE_VERSION,
            **about_outside(program, outside),
        }
        files = bundle_files(
            {**sources, **dict(program.recorded)}, sites_of(machines, program), about
        )
        resources = deployment(
            [_emitted(one, one is entry, machines) for one in built],
            _environments(project),
            project.minor,
            outside,
            executes=starts_executions(built, machines),
        )
        return {
            **_readable(entry, program),
            **inner,
            "bundle.zip": zip_of(files),
            "source.json": copy,
            "deployment.json": _pretty(resources),
            "environment.json": _pretty(environment()),
        }

    def explain(self, machines: Machines) -> Explanation:
        """Where lines run, why, and what ways cost."""
        return explained("gcp", machines, GcpExplainer(_policies(machines)))

    def _sources(self, program: Program, project: Project) -> dict[str, str]:
        """The files of one project are read once for all flows of a compile."""
        if self._imported is None or self._imported.project is not project:
            self._imported = Imported(project)
        return self._imported.sources(program.sources)


def _policies(machines: Machines) -> Policies:
    retried = [machine.ref for machine in machines.machines if machine.retried]
    return Policies(machines.steps, retried, invocation=INVOCATION_SECONDS)


def _workflows(machines: Machines) -> list[Workflow]:
    policies = _policies(machines)
    return [workflow(machine, policies) for machine in machines.machines]


def folder_of(ref: Ref, machines: Machines) -> str:
    """Where the workflow of a flow lies that another one starts: by its name, told apart by its
    module where two have one name.
    """
    names = [one.ref.qualname for one in machines.machines]
    plain = ref.qualname if names.count(ref.qualname) == 1 else f"{ref.module}.{ref.qualname}"
    return f"flows/{plain}"


def _emitted(one: Workflow, is_entry: bool, machines: Machines) -> Emitted:
    ref = one.machine.ref
    return Emitted(str(ref), "" if is_entry else folder_of(ref, machines))


def _copy(machine: Machine, sources: Mapping[str, str], project: Project) -> SourceCopy:
    """What the store keeps for the flow's runs; of the settings, those that say what it means."""
    settings = {"python": project.minor, "pure": sorted(project.settings.pure)}
    lines = [f"{name} = {json.dumps(value)}\n" for name, value in settings.items()]
    text = "[tool.perdure]\n" + "".join(lines)
    return SourceCopy(machine.span.file, machine.ref.qualname, {**sources, PYPROJECT: text})


def _environments(project: Project) -> dict[str, Environment]:
    """Those on Google Cloud, by name."""
    found = project.settings.environments
    return {name: found[name] for name in sorted(found) if found[name].target == "gcp"}


def _pretty(document: Json) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _readable(built: Workflow, program: Program) -> dict[str, str]:
    document = built.document()
    where = built.machine.span
    head = f"# {built.machine.ref} ({where.file}:{where.line})\n"
    return {
        "workflow.yaml": head + to_yaml(document),
        "workflow.json": _compact(document) + "\n",
        "sites.py": emit(built.machine, program.sources, program.sites),
        "source-map.json": json.dumps(_source_map(built), indent=2) + "\n",
    }


def sites_of(machines: Machines, program: Program) -> dict[str, str]:
    """The emitted sites of all flows, by the name of their module."""
    return {
        module_name(one.ref): emit(one, program.sources, program.sites) for one in machines.machines
    }


def _compact(document: Mapping[str, Json]) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _source_map(built: Workflow) -> dict[str, Json]:
    """Where each step comes from, by routine and name, as `stepEntries` gives them; and where
    each decision leads.
    """
    steps: dict[str, Json] = {
        name: {
            "state": built.states[name],
            "scope": scope,
            "file": span.file,
            "line": span.line,
            "column": span.column,
            "end_line": span.end_line,
            "end_column": span.end_column,
        }
        for name, (_routine, scope, span) in built.origins.items()
    }
    ways: dict[str, Json] = {
        state.name: {exit: edge.to for exit, edge in state.exits}
        for scope in scopes(built.machine.root)
        for state in scope.states
        if isinstance(state, Choose) and state.decision is not None
    }
    return {
        "version": SOURCE_MAP_VERSION,
        "flow": str(built.machine.ref),
        "steps": steps,
        "ways": ways,
    }
