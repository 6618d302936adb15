"""Executions that Workflows itself ended: the run's record gets the end that no site wrote.

Workflows logs each change of an execution's state (`executions_system`); a sink hands the entries
to a topic, which pushes them to the sites' service. The service asks the API for the execution: one
that passed a limit, lost a request too often, was cancelled or is a year old has left its run's
record open. Those who wait for the run are rung, also where only their ring was lost.

https://cloud.google.com/workflows/docs/reference/executions/rest/v1/projects.locations.workflows.executions
https://github.com/googleapis/googleapis/blob/master/google/cloud/workflows/type/executions_system.proto
"""

import asyncio
import base64
import json
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Final

from perdure.codec import Json, decode_error
from perdure.errors import LimitExceeded, StepLost
from perdure.runtime.values import failed
from perdure.sites.children import ring_ended
from perdure.sites.executions import generation_name
from perdure.sites.runs import end_of_run
from perdure.sites.state import fields, text
from perdure.store.runs import find_run, get_run
from perdure_gcp.generations import latest
from perdure_gcp.keys import YEAR

if TYPE_CHECKING:
    from perdure.sites.host import Host

__all__ = ["error_of", "execution_of", "record_end", "run_of"]

LIMITS: Final = ("ResourceLimitError", "MemoryLimitExceededError", "ResultSizeLimitExceededError")
LOST: Final = ("HttpError", "ConnectionError", "ConnectionFailedError", "TimeoutError", "AuthError")
"""How a request ends that brought no answer, five times."""


def execution_of(message: Mapping[str, Json]) -> tuple[str, str] | None:
    """Workflow and id of the execution that a pushed log entry is about, if it has ended badly."""
    entry = fields(json.loads(base64.b64decode(text(message["data"]))))
    said, labels = entry.get("jsonPayload"), fields(fields(entry["resource"])["labels"])
    state = said.get("state") if isinstance(said, Mapping) else None
    if state not in ("FAILED", "CANCELLED"):
        return None
    execution = text(fields(entry["labels"])["workflows.googleapis.com/execution_id"])
    return text(labels["workflow_id"]), execution


def record_end(host: "Host", execution: Mapping[str, Json]) -> None:
    """Take over how an execution ended, as the API describes it, if its run has no end yet."""
    if execution["state"] not in ("FAILED", "CANCELLED"):
        return
    argument = fields(json.loads(text(execution["argument"])))
    is_branch = "branch" in argument
    if is_branch and execution["state"] == "CANCELLED":
        return  # its fork was decided without it
    run = run_of(argument)
    record = get_run(host.store, run)
    if record is None:
        return
    if record.end is None:
        end_of_run(host.store, run, failed(error_of(execution)), host.now())
        if is_branch:
            # The execution that the run is in still waits for the branch.
            name = generation_name(run, latest(host.store, run))
            host.executions.stop(record.flow, name)
    ring_ended(host, find_run(host.store, run))


def run_of(argument: Mapping[str, Json]) -> str:
    """The run of an execution with this argument."""
    state = fields(json.loads(text(argument["state"])))
    return text(fields(state["run"])["id"])


def error_of(execution: Mapping[str, Json]) -> BaseException:
    """The flow's own error, or what of Workflows ended it."""
    if execution["state"] == "CANCELLED":
        return asyncio.CancelledError()
    if _age(execution) >= YEAR:
        return LimitExceeded("execution_seconds: the execution has lasted a year")
    payload: Json = json.loads(text(fields(execution["error"])["payload"]))
    if not isinstance(payload, dict):
        return RuntimeError(repr(payload))
    encoded, message, tags = payload.get("error"), payload.get("message"), payload.get("tags")
    if isinstance(encoded, str):
        return decode_error(json.loads(encoded))
    found = [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []
    if "MemoryLimitExceededError" in found:
        return LimitExceeded(f"memory_bytes: {message}")
    if not {*LIMITS}.isdisjoint(found):
        return LimitExceeded(str(message))
    if not {*LOST}.isdisjoint(found):
        return StepLost(f"five requests to the sites in a row brought no answer: {message}")
    return RuntimeError(repr(payload))


def _age(execution: Mapping[str, Json]) -> float:
    """Seconds that it lasted."""
    began, ended = execution.get("startTime"), execution.get("endTime")
    if not isinstance(began, str) or not isinstance(ended, str):
        return 0.0
    return (datetime.fromisoformat(ended) - datetime.fromisoformat(began)).total_seconds()
