"""Waits, as the sites before, in and after them see them.

A wait is registered by the site that runs under its task token, decided in the run store, and read
by the site that comes next. Sleeps that a cancel can interrupt are waits for nothing but time.
"""

import asyncio
import dataclasses
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from perdure.codec import InvalidValue, Json, conform_json, decode, encode
from perdure.codec.descriptors import from_json
from perdure.errors import InvalidInput
from perdure.runtime.engine import Completed, Outcome
from perdure.runtime.values import failed as outcome_of
from perdure.runtime.values import misfit, result_of
from perdure.sites import waits
from perdure.sites.cancel import cancel_wait, spare
from perdure.sites.forked import is_over
from perdure.sites.operands import Wait, by_name, wait_of
from perdure.sites.operations import trace_line
from perdure.sites.state import fields, text
from perdure.sites.waits import earlier
from perdure.store.match import close, get_waiter, register, rung
from perdure.store.protocol import Doorbell, Waiter, WaiterState
from perdure.store.records import waiter_key

if TYPE_CHECKING:
    from perdure.sites.visit import Visit

__all__ = [
    "end_pause",
    "failed",
    "given_up",
    "paused",
    "received",
    "register_wait",
    "sleep_line",
    "slept",
]

PAUSE = ("~pause",)
"""No event can have this name; whoever cancels finds the wait in its line."""


def register_wait(visit: "Visit", pc: str, token: str) -> None:
    """Register the wait at `pc`; nobody reads the reply."""
    wait = _new_wait(visit, pc)
    host, run = visit.host, visit.state.run
    if visit.state.cancelled:
        spare(host.store, run, wait.path)
    waits.start(
        host.store,
        run,
        wait.path,
        wait.contestants,
        over=wait.over,
        now=visit.run.time,
        token=token,
        bell=host.bell,
    )
    own = visit.state.fork
    if own is not None and is_over(host.store, run, {"fork": dict(own)}):
        close(host.store, run, wait.path)  # this branch has lost: no event is for it
        return
    _cancel_if_asked(visit, token)


def paused(visit: "Visit", kind: str, token: str) -> None:
    """A wait for time alone: registered so that a cancel finds it.

    What is less than a second is waited for here: Step Functions counts whole ones.
    """
    host, run = visit.host, visit.state.run
    timing = fields(fields(visit.event["next"])[kind])
    path, left = _pause_path(timing), _until(timing) - host.now()
    if visit.state.cancelled:
        spare(host.store, run, path)
    register(host.store, Waiter(run, path, PAUSE, since=visit.run.time, token=token))
    _cancel_if_asked(visit, token)
    if left < 1:
        host.sleep(max(0.0, left))
        host.bell.ring(token)


def slept(visit: "Visit", record: Mapping[str, Json]) -> None:
    """A sleep is over, by time or by a cancel."""
    operands = visit.state.operands or {}
    if visit.is_cancelled():
        record_sleep(visit, record, None)
        raise asyncio.CancelledError
    if visit.is_interrupted():
        close(visit.host.store, visit.state.run, _pause_path(operands))
        record_sleep(visit, record, None)
        visit.pass_deadline()
    if visit.along_is("paused"):
        end_pause(visit, operands)
    if operands.get("overtaken"):
        record_sleep(visit, record, None)
        visit.pass_deadline()
    record_sleep(visit, record, Completed(None))


def end_pause(visit: "Visit", timing: Mapping[str, Json]) -> None:
    """A wait for time was ended by Step Functions, in whole seconds: the rest, and its waiter."""
    left = _until(timing) - visit.host.now()
    path = _pause_path(timing)
    waiter = get_waiter(visit.host.store, visit.state.run, path)
    if waiter is None:  # a Wait of Step Functions' own
        return
    if left > 0 and waiter.state is WaiterState.LIVE and not visit.is_interrupted():
        visit.host.sleep(left)
    close(visit.host.store, visit.state.run, path)
    if waiter.token is not None:
        rung(visit.host.store, Doorbell(waiter.token, waiter_key(visit.state.run, path)))


def failed(visit: "Visit", origin: str, error: BaseException) -> None:
    """A wait ended with an error: what its own site would have counted and recorded."""
    operands = visit.state.operands or {}
    is_cancelled = isinstance(error, asyncio.CancelledError)
    if is_cancelled:
        visit.note_cancelled()
    if visit.node(origin).kind != "wait" and "record" in operands:
        record_sleep(visit, fields(operands["record"]), None)
        return
    wait = _known_wait(visit, origin)
    if not is_cancelled:
        return
    for index, contestant in enumerate(wait.contestants):
        if contestant.event is not None:
            _record_event(visit, origin, wait, index, None)


def given_up(visit: "Visit", pc: str) -> None:
    """Record the wait at `pc` as cancelled: an execution that ends in it has no site to do that."""
    wait = _new_wait(visit, pc)
    for index, contestant in enumerate(wait.contestants):
        if contestant.event is not None:
            _record_event(visit, pc, wait, index, None)


def received(visit: "Visit", pc: str) -> object:
    """What the wait at `pc` gives: an event's payload, or a race's winner and value."""
    wait = _known_wait(visit, pc)
    host, run = visit.host, visit.state.run
    if visit.is_interrupted():
        wait = _interrupted(visit, wait)
    elif not visit.along_is("received", True):
        _settle(visit, wait)
    ended = None
    if not (_is_closed_by_cancel(visit, wait) or _is_ended(visit, wait)):
        ended = waits.decided(host.store, run, wait.path, wait.contestants)
    if ended is None or _is_overtaken(wait, ended):
        for index, contestant in enumerate(wait.contestants):
            if contestant.event is not None:
                _record_event(visit, pc, wait, index, None)
        if ended is None and (wait.deadline is None or host.now() < wait.deadline):
            raise asyncio.CancelledError  # closed by a cancel, whose own ring was lost
        visit.pass_deadline()
    contestant, detail = wait.contestants[ended.contestant], wait.details[ended.contestant]
    if wait.is_race:
        visit.records.ended.append(text(detail["path"]))
    if ended.timed_out and contestant.event is not None:
        _record_event(visit, pc, wait, ended.contestant, outcome_of(TimeoutError()))
        raise TimeoutError
    if contestant.event is None:
        for other, its_detail in zip(wait.contestants, wait.details, strict=True):
            if other.event is None and other.due == contestant.due:
                record_sleep(visit, {**its_detail, "contestant": other.name}, Completed(None))
        return contestant.name, None
    outcome = _delivered(visit, contestant.event, ended.payload, detail["type"])
    _record_event(visit, pc, wait, ended.contestant, outcome)
    value = result_of(outcome)
    return (contestant.name, value) if wait.is_race else value


def _interrupted(visit: "Visit", wait: Wait) -> Wait:
    """The wait of a body whose group has failed: over by then, but for an event that it has."""
    store, run = visit.host.store, visit.state.run
    waiter = get_waiter(store, run, wait.path)
    if waiter is None or waiter.state is not WaiterState.WON:
        close(store, run, wait.path)
    return dataclasses.replace(wait, deadline=earlier(wait.deadline, visit.next_deadline()))


def _is_closed_by_cancel(visit: "Visit", wait: Wait) -> bool:
    """Whether a cancel ended the wait, and its ring came to nobody."""
    waiter = get_waiter(visit.host.store, visit.state.run, wait.path)
    closed = waiter is not None and waiter.state is WaiterState.CLOSED
    return closed and visit.cancel_is_asked() and not visit.state.cancelled


def _is_ended(visit: "Visit", wait: Wait) -> bool:
    """Whether the wait is over because a group has failed."""
    waiter = get_waiter(visit.host.store, visit.state.run, wait.path)
    closed = waiter is not None and waiter.state is WaiterState.CLOSED
    return closed and visit.is_interrupted()


def _delivered(visit: "Visit", event: str, encoded: Json, declared: Json) -> Outcome:
    """The payload as the declared type; its sender may not have known that."""
    payload = decode(encoded)
    try:
        if declared is not None:
            payload = conform_json(payload, from_json(declared), "payload")
    except InvalidValue as error:
        wrong = InvalidInput(str(error))
        if visit.host.misfit is not None:
            visit.host.misfit(misfit(event, wrong))
        return outcome_of(wrong)
    return Completed(encode(payload))


def _is_overtaken(wait: Wait, ended: waits.Ended) -> bool:
    """Whether a deadline came before the end of any contestant's own time."""
    due = waits.first_due(wait.contestants)
    late = due is not None and wait.deadline is not None and wait.deadline < due
    return late and (ended.timed_out or wait.contestants[ended.contestant].event is None)


def _settle(visit: "Visit", wait: Wait) -> None:
    """Decide a wait whose token has run out; an event that was there in time still wins."""
    host = visit.host
    due = wait.over
    if due is not None and host.now() < due:
        host.sleep(due - host.now())
    waits.settle(host.store, visit.state.run, wait.path, host.now())


def record_sleep(visit: "Visit", record: Mapping[str, Json], outcome: Outcome | None) -> None:
    """A line of the trace; `outcome` None: cancelled."""
    visit.records.lines.append(sleep_line(record, outcome, time=visit.run.time))


def sleep_line(
    record: Mapping[str, Json], outcome: Outcome | None, *, time: float
) -> dict[str, Json]:
    """The line itself."""
    return trace_line(
        text(record["path"]),
        "sleep",
        "sleep",
        fields(record["arguments"]),
        outcome,
        label=text(record["label"]),
        time=time,
        contestant=record.get("contestant"),
    )


def _new_wait(visit: "Visit", pc: str) -> Wait:
    """The wait to register: operands of the site before, or evaluated by this one."""
    if visit.node(pc).kind != "wait":
        return wait_of(visit.state.operands or {})
    stop = visit.site.drive(visit.state.at, pc)
    if not isinstance(stop.value, Wait):
        raise visit.failed(stop)
    return stop.value


def _known_wait(visit: "Visit", pc: str) -> Wait:
    """The wait that was registered, as it was then.

    Evaluating its operands changes no slot, so whoever comes by does it again, at the time of
    the wait.
    """
    node = visit.node(pc)
    if node.kind != "wait":
        return wait_of(visit.state.operands or {})
    path = visit.counts.peek(node.label)
    registered = get_waiter(visit.host.store, visit.state.run, path)
    entered = visit.run.time
    visit.run.time = entered if registered is None else registered.since
    try:
        return visit.prepare.wait(node, by_name(node.code(visit.slots)))
    finally:
        visit.run.time = entered


def _record_event(visit: "Visit", pc: str, wait: Wait, index: int, outcome: Outcome | None) -> None:
    contestant, detail = wait.contestants[index], wait.details[index]
    visit.records.add(
        text(detail["path"]),
        "event",
        contestant.event or "",
        {},
        outcome,
        label=visit.node(pc).label if wait.is_race else text(detail["label"]),
        time=visit.run.time,
        contestant=contestant.name if wait.is_race else None,
    )


def _cancel_if_asked(visit: "Visit", token: str) -> None:
    """A wait that begins when the run was cancelled already ends at once; or its group failed."""
    if visit.is_cancelled():
        cancel_wait(visit.host.bell, token)
    elif visit.is_interrupted():
        visit.host.bell.ring(token)


def _until(timing: Mapping[str, Json]) -> float:
    return datetime.fromisoformat(text(timing["until"])).timestamp()


def _pause_path(timing: Mapping[str, Json]) -> str:
    record = timing.get("record")
    if record is not None:
        return text(fields(record)["path"])
    number = timing.get("attempt")
    return f"{text(timing['path'])}~{number} pause"
