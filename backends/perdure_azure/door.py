"""The door of an app: webhooks, approval links and schedules, as functions of the app itself.

HTTP functions hand requests over as they came, a timer says that a minute of a schedule has come.
What they do to runs goes through the durable client: the task hub is the only store there is. A
run takes one id of an event once (`perdure.runtime.mailbox`), whatever is told twice here.
"""

import json
import os
import time
import traceback
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, final
from urllib.parse import urlsplit

import azure.functions as func

from perdure.codec.text import Json
from perdure.cron import next_due
from perdure.errors import LimitExceeded, RunConflict
from perdure.language import Flow
from perdure.runtime.envelope import is_envelope, pack, size_of, unpack
from perdure.runtime.host import Identity
from perdure.runtime.inputs import run_input
from perdure.runtime.values import encode_input
from perdure.sites.doors import Payloads
from perdure.store.starts import run_of_moment
from perdure.triggers import Cron
from perdure.webhooks.delivery import Answer, Delivery, UnknownRun
from perdure.webhooks.door import Door
from perdure.webhooks.links import URL_SETTING
from perdure_azure.limits import LIMITS
from perdure_azure.names import MESSAGE, function_name, instance_id
from perdure_azure.neighbours import found
from perdure_azure.releases import chosen, read_releases

if TYPE_CHECKING:
    from perdure_azure.sdk import DoorClient

__all__ = ["AppDoor"]

WINDOW: Final = timedelta(minutes=5)
"""A timer is this late at most, if the host was not away."""
AWAY: Final = timedelta(hours=1)
"""Older moments are not made up for, when it was."""


@final
class AppDoor:
    """The door of one flow; `file` is that of the app."""

    def __init__(self, flow: Flow[..., Any], file: str) -> None:
        folder = Path(file).parent
        about = json.loads((folder / "perdure_bundle.json").read_text("utf-8"))
        declared: list[tuple[str | None, str, str]] = [(n, m, t) for n, m, t in about["events"]]
        releases = read_releases(folder)
        self._flow = flow
        self._payloads = Payloads(str(about["source"]), declared)
        self._live = releases.live if releases is not None else (("", 100),)
        host = os.environ.get("WEBSITE_HOSTNAME")
        if host:
            os.environ.setdefault(URL_SETTING, f"https://{host}")

    def answer(self, request: func.HttpRequest, client: "DoorClient") -> func.HttpResponse:
        """A request: the raw bytes of its body are what is signed."""
        delivery = Delivery(
            request.method,
            urlsplit(request.url).path,
            dict(request.headers),
            request.get_body(),
            query=dict(request.params),
        )
        try:
            said = Door([self._flow], self._runs(client)).answer(delivery, time.time())
        except Exception:
            traceback.print_exc()  # for us, not for who sent it
            said = Answer(500, '{"error": "something went wrong here"}')
        headers = {"content-type": said.content_type, **said.headers}
        return func.HttpResponse(said.body, status_code=said.status, headers=headers)

    def on_time(self, schedule: tuple[str, str], client: "DoorClient", *, away: bool) -> None:
        """A minute that a schedule names has come, in some time zone: start what is due."""
        for run, said in self._started(schedule, client, datetime.now(UTC), away=away):
            print(f"run {run} {said}")

    def _started(
        self, schedule: tuple[str, str], client: "DoorClient", now: datetime, *, away: bool
    ) -> Iterator[tuple[str, str]]:
        runs = self._runs(client)
        for cron in self._flow.on:
            if not isinstance(cron, Cron) or (cron.expression, cron.schedule.tz) != schedule:
                continue
            due = next_due(cron.schedule, now - (AWAY if away else WINDOW))
            while due <= now:
                arguments = encode_input(self._flow, cron.input)
                run = run_of_moment(self._flow.name, due, arguments if cron.input else None)
                try:
                    new = runs.start(self._flow, arguments, run)
                    yield run, "is started by its schedule" if new else "was started before"
                except RunConflict as conflict:
                    yield run, f"is not started: {conflict}"
                due = next_due(cron.schedule, due)

    def _runs(self, client: "DoorClient") -> "_Runs":
        return _Runs(client, self._payloads, self._live)


@final
class _Runs:
    """See `perdure.webhooks.door.Runs`."""

    def __init__(
        self, client: "DoorClient", payloads: Payloads, live: tuple[tuple[str, int], ...]
    ) -> None:
        self._client = client
        self._payloads = payloads
        self._live = live

    def start(self, flow: Flow[..., Any], arguments: Mapping[str, Json], run: str) -> bool:
        """Start a run of this id; whether it is new."""
        ref, instance = flow.__perdure_ref__, instance_id(run)
        state = self._client.get_orchestration_state(instance, fetch_payloads=True)
        if state is not None:
            _check_same(run, json.loads(state.serialized_input or "null"), ref, arguments)
            return False
        identity = Identity(run, os.urandom(16).hex(), run)
        given = run_input(ref, identity, arguments, release=chosen(run, self._live))
        limit = LIMITS["message_bytes"].value
        if (size := size_of(given)) > limit:
            raise LimitExceeded(f"message_bytes: the input has {size} bytes, of {limit}")
        name = function_name(ref)
        self._client.schedule_new_orchestration(name, input=given, instance_id=instance)
        return True

    def send(self, run: str, event: str, payload: object, id: str) -> bool:
        """Write to a run; whether its history has no event of this id yet."""
        instance = instance_id(run)
        state = self._client.get_orchestration_state(instance, fetch_payloads=False)
        status = None if state is None else state.runtime_status
        if unpack(found(status))["found"] != "running":
            raise UnknownRun(run)
        encoded = self._payloads.encoded(event, payload, None)
        if self._has(instance, id):
            return False
        message: dict[str, Json] = {"event": event, "payload": encoded, "id": id}
        self._client.raise_orchestration_event(instance, MESSAGE, data=pack(message))
        return True

    def _has(self, instance: str, id: str) -> bool:
        for event in self._client.get_orchestration_history(instance):
            name, text = getattr(event, "name", None), getattr(event, "input", None)
            if str(name).lower() == MESSAGE and isinstance(text, str):
                data = json.loads(text)
                if is_envelope(data) and unpack(data).get("id") == id:
                    return True
        return False


def _check_same(run: str, given: object, flow: str, arguments: Mapping[str, Json]) -> None:
    there = unpack(given) if is_envelope(given) else {}
    if there.get("flow") != flow or there.get("arguments") != {**arguments}:
        raise RunConflict(f"run {run!r} was started with another input")
