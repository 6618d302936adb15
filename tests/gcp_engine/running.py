"""Workflows of a line or two, run to their end."""

import json
import textwrap
from collections.abc import Mapping

from perdure_gcp.workflows import DeployError, Execution, Project, Unverified, problems_of
from perdure_gcp.workflows.values import Value

__all__ = ["FAILED", "OPEN", "REFUSED", "ended", "evaluated", "found", "run"]

FAILED = "failed"
"""The execution ends with an error."""
OPEN = "open: "
"""`OPEN + question`: strict refuses, for the documentation says nothing."""
REFUSED = "refused"
"""The workflow does not deploy."""


def run(source: str, argument: object = None, **settings: object) -> Execution:
    """The execution of a workflow's `main`, ended."""
    project = Project(
        strict=bool(settings.get("strict", True)), seed=int(str(settings.get("seed", 0)))
    )
    project.deploy("main", textwrap.dedent(source))
    return project.run("main", argument)


def ended(source: str, argument: object = None, *, strict: bool = True, seed: int = 0) -> Value:
    """The result, or a word for why there is none."""
    try:
        execution = run(source, argument, strict=strict, seed=seed)
    except Unverified as unverified:
        return OPEN + unverified.question
    except DeployError as error:
        kinds = {problem.kind for problem in error.problems}
        return REFUSED if "error" in kinds else OPEN + "deploy"
    return execution.result if execution.state == "SUCCEEDED" else FAILED


def evaluated(expression: str, variables: Mapping[str, object] | None = None) -> Value:
    """The value of an expression with some variables."""
    assign = [{name: value} for name, value in (variables or {}).items()]
    steps: list[object] = [{"given": {"assign": assign}}] if assign else []
    steps.append({"answer": {"return": {"value": "${" + expression + "}"}}})
    result = ended(json.dumps({"main": {"steps": steps}}))
    return result["value"] if isinstance(result, dict) else result


def tags(expression: str, variables: Mapping[str, object] | None = None) -> Value:
    """The tags of the error that an expression raises."""
    assign = [{name: value} for name, value in (variables or {}).items()]
    tried = {"steps": [{"failing": {"assign": [{"x": "${" + expression + "}"}]}}]}
    handler = {"as": "e", "steps": [{"seen": {"return": "${e.tags}"}}]}
    steps: list[object] = [{"given": {"assign": assign}}] if assign else []
    steps.append({"tried": {"try": tried, "except": handler}})
    return ended(json.dumps({"main": {"steps": steps}}))


def found(source: str) -> list[tuple[str, int, str]]:
    """Kind, line and message of every problem of a workflow."""
    problems = problems_of(textwrap.dedent(source).lstrip("\n"))
    return [(problem.kind, problem.position.line, problem.message) for problem in problems]
