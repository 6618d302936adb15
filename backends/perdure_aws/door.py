"""The door function: deliveries, approval links and schedules, as Lambda is told of them.

An HTTP API hands requests over (payload format 2.0), EventBridge Scheduler a schedule and the
moment that was due. `PERDURE_MACHINE` is the alias under which runs of the door's own release
start, so that what a delivery was read as is what the machine takes; what else configures it,
`perdure_aws.handler` says. The rest is `perdure.webhooks`, as everywhere.
"""

import base64
import binascii
import json
import os
import time
import traceback
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Final, final

import boto3

from perdure.codec import Json
from perdure.errors import LimitExceeded
from perdure.sites.bodies import flow_named
from perdure.sites.doors import DoorRuns, Payloads, start_due
from perdure.sites.executions import execution_name
from perdure.sites.masked import masked_output
from perdure.sites.state import fields, text
from perdure.webhooks.delivery import Answer, Delivery
from perdure.webhooks.door import Door
from perdure_aws.handler import ABOUT, LambdaContext, TaskTokens, run_store, use_secrets

if TYPE_CHECKING:
    from types_boto3_stepfunctions import SFNClient

__all__ = ["handle"]

LONGEST_INPUT: Final = 262_144
"""Bytes that StartExecution takes (step-functions/latest/dg/service-quotas.html)."""


def handle(event: Mapping[str, Json], context: LambdaContext) -> Json:
    """Lambda's entry: a request, or a moment that was due."""
    use_secrets()
    with masked_output():
        return _on_time(event) if "schedule" in event else _answered(event)


def _answered(event: Mapping[str, Json]) -> Json:
    """A request, as an HTTP API takes its answer."""
    try:
        answer = _door().answer(_delivery(event), time.time())
    except Exception:
        # For us, not for who sent it; what a secret was in it is masked on the way out.
        traceback.print_exc()
        answer = Answer(500, '{"error": "something went wrong here"}')
    return {
        "statusCode": answer.status,
        "headers": {"content-type": answer.content_type, **answer.headers},
        "body": answer.body,
    }


def _on_time(event: Mapping[str, Json]) -> Json:
    """A schedule is due. What is told twice starts one run; what fails is told again by Lambda.

    A schedule of another release is none of ours: it starts nothing.
    """
    schedule, flow = fields(event["schedule"]), flow_named(text(_about()["flow"]))
    named = (text(schedule["expression"]), text(schedule["tz"]))
    started: list[Json] = []
    for run, outcome in start_due(flow, named, text(event["time"]), _runs()):
        print(f"run {run} {outcome}")
        started.append(run)
    if not started:
        print(f"{flow.name} of this release has no schedule {named[0]!r} in {named[1]}")
    return started


def _delivery(event: Mapping[str, Json]) -> Delivery:
    """A request as it was sent: the raw bytes of its body are what is signed."""
    http = fields(fields(event["requestContext"])["http"])
    headers, query = event.get("headers"), event.get("queryStringParameters")
    return Delivery(
        text(http["method"]),
        text(event["rawPath"]),
        {name: text(value) for name, value in fields(headers or {}).items()},
        _body(event),
        query={name: text(value) for name, value in fields(query or {}).items()},
    )


def _body(event: Mapping[str, Json]) -> bytes:
    body = text(event.get("body") or "")
    if not event.get("isBase64Encoded"):
        return body.encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error:
        return b""  # no server of ours encodes so: whatever it is, nobody has signed it


@cache
def _about() -> Mapping[str, Json]:
    about: dict[str, Json] = json.loads(ABOUT.read_text("utf-8"))
    return about


@cache
def _door() -> Door:
    return Door([flow_named(text(_about()["flow"]))], _runs())


@cache
def _runs() -> DoorRuns:
    about = _about()
    declared: list[tuple[str | None, str, str]] = json.loads(json.dumps(about["events"]))
    client = boto3.client("stepfunctions")  # pyright: ignore[reportUnknownMemberType]  (others)
    begins = Release(client, os.environ["PERDURE_MACHINE"])
    payloads = Payloads(text(about["source"]), declared)
    return DoorRuns(run_store(), begins, TaskTokens(), payloads)


@final
class Release:
    """`perdure.sites.doors.Begins`: executions of the flow's machine, on the door's release."""

    def __init__(self, client: "SFNClient", alias: str) -> None:
        self._client = client
        self._alias = alias

    def check(self, given: Mapping[str, Json]) -> None:
        """LimitExceeded for what StartExecution does not take."""
        size = len(_content(given))
        if size > LONGEST_INPUT:
            raise LimitExceeded(
                f"payload_bytes: the input has {size} bytes, and Step Functions takes"
                f" {LONGEST_INPUT}"
            )

    def begin(self, run: str, given: Mapping[str, Json]) -> None:
        """StartExecution; the same name and input again is the execution that there is."""
        try:
            self._client.start_execution(
                stateMachineArn=self._alias, name=execution_name(run), input=_content(given)
            )
        except self._client.exceptions.ExecutionAlreadyExists:
            return  # it has ended since: StartExecution answers for those that run


def _content(given: Mapping[str, Json]) -> str:
    return json.dumps(given, separators=(",", ":"))
