"""What a construct is made of: a flow compiled and packaged, as `compile` and `package` do it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, final

from perdure import artifacts
from perdure.backend import load_target
from perdure.codec import Json
from perdure.deployment import DeployError, Place, find_place
from perdure.diagnostics import Report
from perdure.driver import compile_flows, open_project, split_flow
from perdure.render.text import render_text
from perdure_aws.cloudformation.flow import Emitted
from perdure_aws.deploy.packages import package
from perdure_aws.deploy.releases import DEFINITION, TARGET, read_releases

__all__ = ["Made", "made"]


@final
class Made(NamedTuple):
    """A flow, compiled."""

    template: Path
    code: Path
    definitions: Mapping[str, Path]
    """By the logical id of their machine."""
    children: Mapping[str, str]
    """The logical ids of the machines of flows that it starts, by the flow's name."""
    parameters: Mapping[str, str]
    """What the template asks for that follows from project and environment."""
    has_door: bool
    """Whether it has an HTTP API."""
    has_shared_door: bool
    """Whether anything reaches it from outside, schedules too."""


def made(flow: str, environment: str, folder: Path) -> Made:
    """Compile a flow into a folder; DeployError with all that is wrong with it."""
    name = split_flow(flow)
    place = find_place(name.path.resolve(), environment)
    report = Report()
    workspace = open_project(name.path, report)
    target = load_target(TARGET)
    assert target is not None, "it is part of this distribution"
    compiled = compile_flows([name], [target], workspace)
    if not report.ok:
        raise DeployError(f"{flow} is refused:\n{render_text(report)}")
    if len(compiled) != 1:
        names = ", ".join(one.flow for one in compiled)
        raise DeployError(f"{flow} has several flows: say which, as FILE:FLOW ({names})")
    (one,) = compiled
    out = folder / TARGET / one.flow
    artifacts.write(artifacts.changes(out, one.artifacts, one.span.file), folder)
    settings = place.project.settings._replace(out=str(folder))
    (release,) = read_releases(place._replace(project=place.project._replace(settings=settings)))
    code = package(place, release, _unsaid).path
    template: dict[str, dict[str, Json]] = json.loads(release.template)
    return Made(
        out / "template.json",
        code,
        {_logical(path): out / path for path in release.definitions},
        {Path(path).parent.name: _logical(path) for path in release.definitions if "/" in path},
        _parameters(template, place),
        "Api" in template["Resources"],
        "StableDoor" in template["Parameters"],
    )


def _logical(path: str) -> str:
    return Emitted("", path.removesuffix(DEFINITION).rstrip("/"), {}).logical


def _parameters(template: Mapping[str, Mapping[str, Json]], place: Place) -> dict[str, str]:
    known = {"Environment": place.environment.name, "Project": place.name}
    return {name: value for name, value in known.items() if name in template["Parameters"]}


def _unsaid(line: str) -> None:
    """Progress: an app of the CDK prints its own."""
