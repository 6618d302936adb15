"""The target `aws`: from machines to what is deployed.

<flow>/definition.asl.json the state machine <flow>/sites.py the Python that its Tasks run, to
read (the bundle holds it too) <flow>/source-map.json state -> file, line, column
<flow>/flows/<other>/... the same of each flow that it awaits or starts
<flow>/bundle.zip everything the sites function needs
<flow>/template.json CloudFormation: the flow's resources <flow>/store.json likewise: those that
all flows of an environment share
<flow>/source.json the copy of the source that the run store keeps
"""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Literal, final

from perdure import __version__, rules
from perdure.backend import Artifacts, Limit, Limits
from perdure.codec import VERSION as CODEC_VERSION
from perdure.codec import Json
from perdure.copies import SourceCopy
from perdure.diagnostics import Report
from perdure.explain.explained import explained
from perdure.explain.model import Explanation
from perdure.imported import Imported
from perdure.ir import Program, Ref
from perdure.machine.emit import emit, module_name
from perdure.machine.ir import Machine, Machines
from perdure.machine.policies import Policies
from perdure.project import PYPROJECT, Environment, Project
from perdure.sites.state import VERSION as STATE_VERSION
from perdure_aws.asl import Definition, definition, function_groups
from perdure_aws.bundle import bundle_files, zip_of
from perdure_aws.checks import check
from perdure_aws.cloudformation.door import Outside, outside_of
from perdure_aws.cloudformation.flow import Emitted, flow_template
from perdure_aws.cloudformation.store import store_template
from perdure_aws.explained import AwsExplainer
from perdure_aws.layout import compact, pretty
from perdure_aws.limits import LIMITS, value_of

__all__ = ["SOURCE_MAP_VERSION", "AwsTarget"]

type Document = dict[str, Json]

TABLE: Limits = {row.name: Limit(row.value, row.unit, row.source, row.compiler) for row in LIMITS}

SOURCE_MAP_VERSION = 1


@final
class AwsTarget:
    """See `perdure.backend.MachineTarget`."""

    family: Literal["machine"] = "machine"
    name = "aws"
    limits: Limits = TABLE
    has_door = True

    def __init__(self) -> None:
        self._imported: Imported | None = None
        self._built: tuple[Machines, tuple[tuple[Definition, Document], ...]] | None = None

    def check(self, machines: Machines, report: Report) -> None:
        """Report what Step Functions cannot take, at its line."""
        check(machines, report)
        if report.ok:
            for built, document in self._definitions(machines):
                _check_size(built.machine, document, report)

    def lower(self, machines: Machines, program: Program, project: Project) -> Artifacts:
        """The artifacts of the entry flow, and below `flows` the machines of those it starts."""
        (built, document), *others = self._definitions(machines)
        machine = built.machine
        groups = function_groups(machines.steps)
        outside = outside_of(program, groups)
        sites = {
            module_name(one.ref): emit(one, program.sources, program.sites)
            for one in machines.machines
        }
        sources = self._sources(program, project)
        copy = _copy(machine, sources, project).encoded()
        about: dict[str, Json] = {
            "perdure": __version__,
            "python": project.minor,
            "flow": str(machine.ref),
            "flows": {str(one.ref): module_name(one.ref) for one in machines.machines},
            "source": sha256(copy).hexdigest(),
            "codec": CODEC_VERSION,
            "state": STATE_VERSION,
            **_about_outside(program, outside),
        }
        emitted = _emitted(self._definitions(machines), machines)
        template = flow_template(emitted, _environments(project), project.minor, groups, outside)
        files = bundle_files({**sources, **dict(program.recorded)}, sites, about)
        inner = [
            (f"{folder_of(one.machine.ref, machines)}/{name}", text)
            for one, its_document in others
            for name, text in _readable(one, its_document, sites).items()
        ]
        return {
            **_readable(built, document, sites),
            **dict(inner),
            "bundle.zip": zip_of(files),
            "source.json": copy,
            "template.json": pretty(template),
            "store.json": pretty(store_template()),
        }

    def explain(self, machines: Machines) -> Explanation:
        """Where lines run, why, and what ways cost."""
        return explained("aws", machines, AwsExplainer(_policies(machines)))

    def _definitions(self, machines: Machines) -> tuple[tuple[Definition, Document], ...]:
        """The definitions of all flows, made once for `check` and `lower`."""
        if self._built is None or self._built[0] is not machines:
            policies = _policies(machines)
            built = [definition(machine, policies) for machine in machines.machines]
            self._built = machines, tuple((one, one.document()) for one in built)
        return self._built[1]

    def _sources(self, program: Program, project: Project) -> dict[str, str]:
        """The files of one project are read once for all flows of a compile."""
        if self._imported is None or self._imported.project is not project:
            self._imported = Imported(project)
        return self._imported.sources(program.sources)


def _policies(machines: Machines) -> Policies:
    retried = [machine.ref for machine in machines.machines if machine.retried]
    return Policies(machines.steps, retried, invocation=value_of("lambda_seconds"))


def folder_of(ref: Ref, machines: Machines) -> str:
    """Where the machine of a flow lies that another one starts: by its name, told apart by its
    module where two have one name.
    """
    names = [one.ref.qualname for one in machines.machines]
    plain = ref.qualname if names.count(ref.qualname) == 1 else f"{ref.module}.{ref.qualname}"
    return f"flows/{plain}"


def _copy(machine: Machine, sources: Mapping[str, str], project: Project) -> SourceCopy:
    """What the store keeps for the flow's runs; of the settings, those that say what it means."""
    settings = {"python": project.minor, "pure": sorted(project.settings.pure)}
    lines = [f"{name} = {json.dumps(value)}\n" for name, value in settings.items()]
    text = "[tool.perdure]\n" + "".join(lines)
    return SourceCopy(machine.span.file, machine.ref.qualname, {**sources, PYPROJECT: text})


def _about_outside(program: Program, outside: Outside) -> dict[str, Json]:
    """What the door and who deploys need to know."""
    about: dict[str, Json] = {}
    if program.secrets:
        about["secrets"] = [*program.secrets]
    if outside.has_door:
        about["events"] = [[one.name, one.module, one.type] for one in program.events]
    return about


def _emitted(
    definitions: tuple[tuple[Definition, Document], ...], machines: Machines
) -> list[Emitted]:
    """The machines as the template has them, the entry flow's first."""
    (built, document), *others = definitions
    return [
        Emitted(str(built.machine.ref), "", document),
        *(
            Emitted(str(one.machine.ref), folder_of(one.machine.ref, machines), its_document)
            for one, its_document in others
        ),
    ]


def _readable(
    built: Definition, document: Document, sites: Mapping[str, str]
) -> dict[str, bytes | str]:
    """What people read of one machine."""
    return {
        "definition.asl.json": _text(document),
        "sites.py": sites[module_name(built.machine.ref)],
        "source-map.json": pretty(source_map(built, built.machine)),
    }


def _check_size(machine: Machine, document: Document, report: Report) -> None:
    limit, size = value_of("definition_bytes"), len(compact(document).encode())
    if size > limit:
        report.error(
            rules.DEFINITION_TOO_LARGE,
            machine.span,
            flow=machine.ref.qualname,
            value=size,
            limit=limit,
            target="aws",
        )


def _environments(project: Project) -> dict[str, Environment]:
    """Those on AWS, by name."""
    found = project.settings.environments
    return {name: found[name] for name in sorted(found) if found[name].target == "aws"}


def _text(document: Document) -> str:
    """As a person would write it, while Step Functions takes that many bytes."""
    text = pretty(document)
    return text if len(text.encode()) <= value_of("definition_bytes") else compact(document)


def source_map(built: Definition, machine: Machine) -> dict[str, Json]:
    """Where each state comes from."""
    states: dict[str, Json] = {
        name: {
            "scope": scope,
            "file": span.file,
            "line": span.line,
            "column": span.column,
            "end_line": span.end_line,
            "end_column": span.end_column,
        }
        for name, (scope, span) in built.origins.items()
    }
    return {"version": SOURCE_MAP_VERSION, "flow": str(machine.ref), "states": states}
