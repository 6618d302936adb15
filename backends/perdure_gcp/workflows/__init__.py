"""Google Cloud Workflows, as documented: a checker and an engine for any workflow file.

    from perdure_gcp.workflows import Project, problems_of

    problems_of(source)                      # what Google would refuse, with places
    project = Project(seed=7)                # a project of its own: clock, executions, HTTP
    project.deploy("hello", source)
    project.run("hello", {"name": "Ada"})    # the execution, ended

Strict (as it is unless told otherwise) it raises `Unverified` wherever a workflow's outcome depends
on something that Google's documentation leaves open; what the pages leave to chance (interleavings,
the order of keys) is drawn from the seed.
"""

from perdure_gcp.workflows.checker import load, problems_of
from perdure_gcp.workflows.execution import Entry, Execution, Logged
from perdure_gcp.workflows.http import Failure, Request, Response
from perdure_gcp.workflows.limits import LIMITS
from perdure_gcp.workflows.problems import (
    OPEN_QUESTIONS,
    DeployError,
    Problem,
    Unverified,
    WorkflowError,
)
from perdure_gcp.workflows.project import Project

__all__ = [
    "LIMITS",
    "OPEN_QUESTIONS",
    "DeployError",
    "Entry",
    "Execution",
    "Failure",
    "Logged",
    "Problem",
    "Project",
    "Request",
    "Response",
    "Unverified",
    "WorkflowError",
    "load",
    "problems_of",
]
