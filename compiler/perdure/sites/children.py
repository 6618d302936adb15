"""Child flows: runs of their own, awaited by their run id.

A Task with a token stands for the child in its parent. The site behind it claims the child's run,
leaves the token with it and starts its execution. Whoever ends the child rings the token; the site
after the wait reads in the store how it ended. A child that is tried again is another run, and the
Task is entered once more.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from perdure.codec import Json, decode, decode_error, encode
from perdure.durations import due
from perdure.language import Flow
from perdure.runtime.engine import Completed, Failed, Outcome
from perdure.runtime.reads import child_seed
from perdure.runtime.retries import delay_before_next
from perdure.runtime.values import failed, result_of
from perdure.sites.cancel import CHILD, cancel, is_overtaken, overtake
from perdure.sites.error_names import AGAIN
from perdure.sites.executions import execution_name
from perdure.sites.operands import moment, whole_seconds
from perdure.sites.site_waits import end_pause
from perdure.sites.state import fields, text
from perdure.store.match import close, get_waiter, live_waiters, register, rung
from perdure.store.protocol import (
    Doorbell,
    End,
    ResultWaiter,
    RunRecord,
    RunStore,
    Status,
    Waiter,
)
from perdure.store.records import result_waiter_record, waiter_key
from perdure.store.runs import (
    add_result_waiter,
    claim_run,
    digest_of,
    find_run,
    get_run,
    result_doorbells,
    ring_result_waiter,
)

if TYPE_CHECKING:
    from perdure.sites.host import Host
    from perdure.sites.visit import Visit
    from perdure.sites.waits import Bell

__all__ = [
    "await_overtaken",
    "begin_child",
    "cancel_run",
    "child_ended",
    "end_overtaken",
    "ring_ended",
    "ring_results",
    "start_run",
]

PARENT = "parent"
"""The id of the parent among those that wait for a run's end."""
OVERTAKEN = "overtaken"
"""Likewise, of a parent that gave the child up and waits for its cleanup."""


def begin_child(visit: "Visit", token: str) -> None:
    """Start the child and wait for it, unless the run is cancelled already."""
    host, state = visit.host, visit.state
    operands = fields(visit.event["next"])["operands"]
    asked = fields(operands)
    if visit.attempt_of(asked) > 1:
        end_pause(visit, asked)
    if visit.cancel_is_asked() and not state.cancelled:
        host.bell.ring(token)  # the site that comes next sees it, and says so in the trace
        return
    name = _name(visit, asked)
    run = f"{state.run}/{name}"
    record = RunRecord(
        run=run,
        flow=text(asked["flow"]),
        input_digest=digest_of(asked["arguments"]),
        input=asked["arguments"],
        versions=host.versions,
        seed=child_seed(state.seed, name),
        started=host.now(),
        target=host.target,
        parent=f"{state.run}/{text(asked['path'])}",
    )
    claim_run(host.store, record)
    bells = add_result_waiter(host.store, ResultWaiter(run, PARENT, token))
    waiter = Waiter(state.run, name, CHILD, since=visit.run.time, token=token)
    register(host.store, waiter)
    if bells:
        ring_ended(host, find_run(host.store, run))
    else:
        start_run(host, record)
    if visit.cancel_is_asked() and not state.cancelled:
        cancel_run(host, run)
    elif visit.is_interrupted():
        host.bell.ring(token)


def start_run(host: "Host", record: RunRecord) -> None:
    """Start the execution of a run that is claimed; its input lies in its record."""
    given: dict[str, Json] = {"run": {"id": record.run, "seed": record.seed}, "input": None}
    host.executions.start(record.flow, execution_name(record.run), given)


def cancel_run(host: "Host", run: str) -> None:
    """Ask a run to cancel, as whoever works with this host."""
    cancel(
        host.store,
        run,
        host.bell,
        host.executions,
        now=host.now(),
        ended=lambda record: ring_ended(host, record),
    )


def end_overtaken(visit: "Visit", origin: str, path: str) -> None:
    """What was under way at a path, or in branches below it, has lost: waits are closed, and give
    back what they took; children are cancelled, and whoever goes on waits for their cleanup.
    """
    host, state = visit.host, visit.state
    lingers = False
    for waiter in _under_way(visit, path):
        child = f"{state.run}/{waiter.path}"
        if waiter.names == CHILD and get_run(host.store, child) is not None:
            overtake(host.store, child)
            cancel_run(host, child)
            if find_run(host.store, child).end is None:
                lingers = True
                continue
        close(host.store, state.run, waiter.path)
        if waiter.token is not None:
            rung(host.store, Doorbell(waiter.token, waiter_key(state.run, waiter.path)))
    if lingers:
        raise visit.lingering(origin)


def await_overtaken(visit: "Visit", token: str) -> None:
    """The token is rung when one of the children that were overtaken has ended."""
    host, state = visit.host, visit.state
    path = _name(visit, state.operands or {})
    for waiter in _under_way(visit, path):
        child = f"{state.run}/{waiter.path}"
        if waiter.names != CHILD or get_run(host.store, child) is None:
            continue
        if not add_result_waiter(host.store, ResultWaiter(child, OVERTAKEN, token)):
            return
    host.bell.ring(token)


def _under_way(visit: "Visit", path: str) -> list[Waiter]:
    """The live waits at a path and in branches below it."""
    found = live_waiters(visit.host.store, visit.state.run)
    return [w for w in found if w.path == path or w.path.startswith(f"{path}[")]


def child_ended(visit: "Visit", origin: str) -> object:
    """The child's value, or its error raised; CancelledError where its parent was cancelled."""
    operands = visit.state.operands or {}
    name = _name(visit, operands)
    if _is_late(visit, name) and not visit.is_cancelled():
        end_overtaken(visit, origin, name)
        _record(visit, operands, None)
        visit.pass_deadline()
    close(visit.host.store, visit.state.run, name)
    waiter = get_waiter(visit.host.store, visit.state.run, name)
    if waiter is not None and waiter.token is not None:
        rung(visit.host.store, Doorbell(waiter.token, waiter_key(visit.state.run, name)))
    if visit.is_cancelled():
        _record(visit, operands, None)
        raise asyncio.CancelledError
    end = find_run(visit.host.store, f"{visit.state.run}/{name}").end
    assert end is not None, "the token of a child is rung when it has ended"
    outcome = _outcome(end)
    _record(visit, operands, _as_shown(visit, outcome))
    return result_of(outcome, visit.host.functions)


def _is_late(visit: "Visit", name: str) -> bool:
    """Whether a deadline came first, or the failing of a group around."""
    if not visit.along_is("ended", True):
        return not _has_ended(visit, name)
    store, child = visit.host.store, f"{visit.state.run}/{name}"
    record = get_run(store, child)  # none, if the run was cancelled before another attempt
    if record is None or record.end is None:
        return visit.is_interrupted()
    return visit.is_interrupted() and is_overtaken(store, child)


def _has_ended(visit: "Visit", name: str) -> bool:
    """Whether a child ended by itself at the very moment of a deadline, for good."""
    host, child = visit.host, f"{visit.state.run}/{name}"
    visit.settle_deadline()
    record = get_run(host.store, child)
    if record is None or record.end is None or is_overtaken(host.store, child):
        return False
    return _again(record, host.flow_named(record.flow), host.now()) is None


def _as_shown(visit: "Visit", outcome: Outcome) -> Outcome:
    """In a trace a value is plain; where it crossed, the order of its dicts was kept beside it."""
    if not isinstance(outcome, Completed):
        return outcome
    functions = visit.host.functions
    return Completed(encode(decode(outcome.value, functions=functions), functions=functions))


def _record(visit: "Visit", operands: Mapping[str, Json], outcome: Outcome | None) -> None:
    """A line of the trace; `outcome` None: cancelled."""
    visit.records.add(
        text(operands["path"]),
        "flow",
        text(operands["name"]),
        fields(operands["arguments"]),
        outcome,
        label=text(operands["label"]),
        time=visit.run.time,
        attempts=visit.attempt_of(operands),
    )


def ring_ended(host: "Host", record: RunRecord) -> None:
    """Tell those who wait for the end of a run; a parent that tries it again is told when."""
    ring_results(host.store, record, host.bell, host.flow_named(record.flow), host.now())


def ring_results(
    store: RunStore, record: RunRecord, bell: "Bell", flow: Flow[..., object], now: float
) -> None:
    """Ring the tokens of those who wait for this run, once each."""
    for doorbell in result_doorbells(store, record.run):
        item = store.get(doorbell.key)
        assert item is not None, "a doorbell is somebody's"
        is_parent = result_waiter_record(item).id == PARENT
        again = _again(record, flow, now) if is_parent else None
        if again is None:
            bell.ring(doorbell.token)
        else:
            bell.fail(doorbell.token, AGAIN, json.dumps(again))
        ring_result_waiter(store, doorbell)


def _again(record: RunRecord, flow: Flow[..., object], now: float) -> dict[str, Json] | None:
    """When the parent tries the child again; None: this end is what it gets."""
    assert record.end is not None, "asked about a run that has ended"
    outcome = _outcome(record.end)
    if not isinstance(outcome, Failed):
        return None
    number = _attempt(record)
    delay = delay_before_next(flow.retry, decode_error(outcome.error), number)
    if delay is None:
        return None
    until = due(now, delay)
    return {
        "attempt": number + 1,
        "until": moment(until),
        "seconds": whole_seconds(until - now),
    }


def _attempt(record: RunRecord) -> int:
    """Its number is what follows the path of the operation in its id."""
    suffix = record.run.removeprefix(record.parent or record.run)
    return int(suffix.removeprefix("~")) if suffix else 1


def _name(visit: "Visit", operands: Mapping[str, Json]) -> str:
    """The child's id below its parent's; of a fork, its path."""
    number, path = visit.attempt_of(operands), text(operands["path"])
    return path if number == 1 else f"{path}~{number}"


def _outcome(end: End) -> Outcome:
    match end.status:
        case Status.COMPLETED:
            return Completed(end.value)
        case Status.CANCELLED:
            return failed(asyncio.CancelledError())
        case _:
            return Failed(end.error)
