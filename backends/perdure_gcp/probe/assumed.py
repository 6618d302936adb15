"""What our own engine answers to the open questions: the likely answers of `strict=False`."""

import json

from perdure.codec import Json
from perdure_gcp.probe.prober import REFUSED
from perdure_gcp.probe.questions import apart
from perdure_gcp.workflows import DeployError, Execution, Project
from perdure_gcp.workflows.http import Response
from perdure_gcp.workflows.problems import OPEN_QUESTIONS

__all__ = ["answer_of", "assumed", "project"]

CALLBACKS = "https://workflowexecutions.googleapis.com/"


def assumed() -> dict[str, Json]:
    """Every question's answer."""
    found: dict[str, Json] = {}
    for question in OPEN_QUESTIONS:
        source = apart(question)
        asked = project(strict=False)
        try:
            asked.deploy("probe", source if isinstance(source, str) else json.dumps(source))
        except DeployError:
            found[question] = REFUSED
            continue
        found[question] = answer_of(asked.run("probe"))
    return found


def project(*, strict: bool) -> Project:
    """One in which a workflow can ring its own callbacks."""
    made = Project(strict=strict)
    made.route(CALLBACKS, lambda sent: Response(made.call_back(sent.url), b""))
    return made


def answer_of(execution: Execution) -> Json:
    """Its value, or the tags of its error."""
    if execution.state == "SUCCEEDED":
        value: Json = json.loads(json.dumps(execution.result))
        return {"value": value}
    error = execution.error
    tags = error.get("tags") if isinstance(error, dict) else error
    told: Json = json.loads(json.dumps(tags))
    return {"error": told}
