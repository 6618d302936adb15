"""The target `gcp`: from machines to what is deployed.

<flow>/workflow.yaml      the workflow, to read and to deploy
<flow>/workflow.json      the same tree, in fewer bytes
<flow>/sites.py           the Python that its steps call, to read
<flow>/source-map.json    step -> file, line, column
<flow>/flows/<other>/...  the same of each flow that it awaits or starts
<flow>/bundle.zip         all that the sites' service needs: `python main.py`
"""

import json
from collections.abc import Mapping
from typing import Literal, final

from perdure import __version__, rules
from perdure.backend import Artifacts, Limit, Limits
from perdure.bundling import zip_of
from perdure.codec import VERSION as CODEC_VERSION
from perdure.codec import Json
from perdure.diagnostics import Report
from perdure.explain.explained import explained
from perdure.explain.model import Explanation
from perdure.imported import Imported
from perdure.ir import Program, Ref
from perdure.machine.emit import emit, module_name
from perdure.machine.ir import Machines
from perdure.machine.policies import Policies
from perdure.project import Project
from perdure.sites.state import VERSION as STATE_VERSION
from perdure_gcp.bundle import bundle_files
from perdure_gcp.checks import INVOCATION_SECONDS, check
from perdure_gcp.explained import GcpExplainer
from perdure_gcp.lowering import Workflow, workflow
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
    has_door = False

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
        entry, *others = _workflows(machines)
        inner = {
            f"{folder_of(one.machine.ref, machines)}/{name}": text
            for one in others
            for name, text in _readable(one, program).items()
        }
        about: dict[str, Json] = {
            "perdure": __version__,
            "python": project.minor,
            "flow": str(entry.machine.ref),
            "flows": {str(one.ref): module_name(one.ref) for one in machines.machines},
            "source": program.digest,
            "codec": CODEC_VERSION,
            "state": STATE_VERSION,
        }
        files = bundle_files(self._sources(program, project), sites_of(machines, program), about)
        return {**_readable(entry, program), **inner, "bundle.zip": zip_of(files)}

    def explain(self, machines: Machines) -> Explanation:
        """Where lines run, why, and what ways cost."""
        return explained("gcp", machines, GcpExplainer(_policies(machines)))

    def _sources(self, program: Program, project: Project) -> dict[str, str]:
        """The files of one project are read once for all flows of a compile."""
        if self._imported is None or self._imported.project is not project:
            self._imported = Imported(project)
        return self._imported.sources(program.sources) | dict(program.recorded)


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
    """Where each step comes from, by routine and name, as `stepEntries` gives them."""
    steps: dict[str, Json] = {
        name: {
            "scope": scope,
            "file": span.file,
            "line": span.line,
            "column": span.column,
            "end_line": span.end_line,
            "end_column": span.end_column,
        }
        for name, (_routine, scope, span) in built.origins.items()
    }
    return {"version": SOURCE_MAP_VERSION, "flow": str(built.machine.ref), "steps": steps}
