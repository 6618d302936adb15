"""Executions that Step Functions itself ended: the run's record gets the end that no site wrote.

EventBridge tells of them ("Step Functions Execution Status Change"): the history or the data limit
was reached, the year was over, somebody called StopExecution, an attempt was lost too often. It
tells of the others too; then the record has its end, and those whose doorbell was lost are rung.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from perdure.codec import Json, decode_error
from perdure.errors import LimitExceeded
from perdure.runtime.values import failed
from perdure.sites.children import ring_ended
from perdure.sites.error_names import limit_named
from perdure.sites.failures import told
from perdure.sites.forked import is_over
from perdure.sites.runs import end_of_run
from perdure.sites.state import fields, text
from perdure.store.protocol import RunRecord
from perdure.store.runs import claim_run, digest_of, find_run, get_run

if TYPE_CHECKING:
    from perdure.sites.host import Host

__all__ = ["error_of", "record_end", "run_of"]


def record_end(host: "Host", detail: Mapping[str, Json]) -> None:
    """Take over how an execution ended, if its run has no end yet, or was never claimed: its
    input did not fit, say, after a rollback.

    `detail` is that of the event: `name`, `status`, `input`, `error`, `cause`.
    """
    if detail["status"] in ("RUNNING", "SUCCEEDED"):
        return
    run = run_of(detail)
    if detail["status"] == "ABORTED" and is_over(host.store, run, _input(detail)):
        return  # a branch that has lost was stopped
    record = get_run(host.store, run) or _claimed(host, detail)
    if record is None:
        return
    if record.end is None:
        error = error_of(text(detail["status"]), _text(detail, "error"), _text(detail, "cause"))
        end_of_run(host.store, run, failed(error), host.now())
    ring_ended(host, find_run(host.store, run))


def _claimed(host: "Host", detail: Mapping[str, Json]) -> RunRecord | None:
    """The record of a run that no site has claimed; None where too little is told of it."""
    asked = _input(detail)
    given = asked.get("input")
    if not isinstance(given, dict):
        return None
    run = fields(asked["run"])
    record = RunRecord(
        run=text(run["id"]),
        flow=host.table.ref,
        input_digest=digest_of(given),
        input=given,
        versions=host.versions,
        seed=text(run["seed"]),
        started=host.now(),
        target=host.target,
    )
    return claim_run(host.store, record)[0]


def _input(detail: Mapping[str, Json]) -> Mapping[str, Json]:
    """The execution's input; nothing where it is too long to be told."""
    said = detail.get("input")
    found: Mapping[str, Json] = json.loads(said) if isinstance(said, str) else {}
    return found


def run_of(detail: Mapping[str, Json]) -> str:
    """The run of an execution: its input says it, its name where the input is too long."""
    given = detail.get("input")
    if isinstance(given, str):
        return text(fields(fields(json.loads(given))["run"])["id"])
    return text(detail["name"])


def error_of(
    status: str, error: str | None, cause: str | None, place: str | None = None
) -> BaseException:
    """The flow's own error, or what of Step Functions ended it; `place`: the line it was at."""
    if status == "ABORTED":
        return asyncio.CancelledError()
    where = "" if place is None else f" ({place})"
    if status == "TIMED_OUT":
        return LimitExceeded(f"execution_seconds: the execution has lasted a year{where}")
    limit = limit_named(error, cause or "")
    if limit is not None:
        return LimitExceeded(f"{limit}: {cause}{where}")
    said = told(cause or "").get("next")
    if isinstance(said, Mapping) and "error" in said:
        return decode_error(said["error"])
    try:
        return decode_error(json.loads(cause or ""))
    except (ValueError, TypeError, KeyError):
        return RuntimeError(f"{error}: {cause}")


def _text(detail: Mapping[str, Json], name: str) -> str | None:
    value = detail.get(name)
    return None if value is None else text(value)
