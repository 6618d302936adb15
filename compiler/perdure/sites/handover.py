"""Hand-over, as the sites see it: when, with what, and what becomes of the execution before.

A run is one run, whatever executions it goes through: its record, its inbox and its waiters are in
the run store. The first execution waits until the run has ended, so that it ends as the run does;
those between end when they have handed over. So do all of a branch that is an execution of its own:
who waits for it waits for its fork.
"""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from perdure.codec import Json, decode_error
from perdure.sites.error_names import HAND_OVER, entered
from perdure.sites.executions import generation_name
from perdure.sites.failures import failure
from perdure.sites.fork_records import next_of_branch
from perdure.sites.keep import PAYLOAD_BYTES, keep, size_of, unkept
from perdure.sites.state import fields, text
from perdure.store.protocol import Doorbell, ResultWaiter, Status
from perdure.store.runs import add_result_waiter, find_run

if TYPE_CHECKING:
    from perdure.sites.host import Host
    from perdure.sites.visit import Visit

__all__ = ["begin_generation", "check_history", "enter", "handed_over"]

EVENTS = 18_000
"""Of the 25,000 that a history may have: beyond, the next head of a loop hands over."""
ROOT = "root"
"""The id of the first execution among those that wait for a run's end."""


def enter(host: "Host", event: Mapping[str, Json]) -> Mapping[str, Json]:
    """The event for a state that is entered; of a generation that goes on elsewhere, it fails."""
    arrived = fields(event["next"])
    head = arrived.get("resume")
    if head is None or "handover" in event or "handed" in event:
        return event
    state = dict(unkept(host.store, arrived))
    state.pop("resume", None)
    if head == event["site"]:
        return {**event, "next": state}
    short: dict[str, Json] = {name: value for name, value in arrived.items() if name != "resume"}
    if "token" in event:
        said = {"errorMessage": json.dumps({"next": short})}
        host.bell.fail(text(event["token"]), entered(text(head)), json.dumps(said))
        return {}
    raise failure(entered(text(head)), {"next": short})


def check_history(visit: "Visit") -> None:
    """At the head of a loop: hand over when the history is long."""
    state = visit.state
    if state.events <= EVENTS or state.again is not None:
        return
    state.events = visit.host.executions.events(
        str(visit.host.table.ref), text(visit.event["execution"])
    )
    if state.events > EVENTS:
        data = dict(unkept(visit.host.store, fields(visit.event["next"])))
        raise visit.hand_over(HAND_OVER, {**data, "resume": visit.event["site"]})


def begin_generation(visit: "Visit", token: str) -> None:
    """Start the next execution; the first one waits for the end of the run, others for nothing."""
    host, state = visit.host, visit.state
    number = state.generation
    data = dict(unkept(host.store, fields(visit.event["next"])))
    head = data.pop("resume")
    data.update(events=0, generation=number + 1)
    if state.fork is not None:
        next_of_branch(host, state.run, state.seed, state.fork, text(head), data)
        host.bell.ring(token)
        return
    bells: tuple[Doorbell, ...] = ()
    if number == 1:
        bells = add_result_waiter(host.store, ResultWaiter(state.run, ROOT, token))
    given: dict[str, Json] = {
        "run": {"id": state.run, "seed": state.seed},
        "resume": head,
        "kept": keep(host.store, data),
    }
    name = generation_name(state.run, number + 1)
    host.executions.start(str(host.table.ref), name, given)
    if number > 1 or bells:
        host.bell.ring(token)


def handed_over(visit: "Visit") -> Json:
    """How the execution ends that handed over: as the run has, or by the name of the next one."""
    state = visit.state
    end = find_run(visit.host.store, state.run).end
    if state.generation > 1 or end is None or state.fork is not None:
        return {"value": {"goes on in": generation_name(state.run, state.generation + 1)}}
    if end.status is Status.COMPLETED:
        whole: dict[str, Json] = {"value": end.value}
        fits = size_of(whole) <= PAYLOAD_BYTES
        return whole if fits else {"value": {"kept": keep(visit.host.store, whole)}}
    error = decode_error(end.error)
    raise failure(type(error).__name__, {"next": {"error": end.error}})
