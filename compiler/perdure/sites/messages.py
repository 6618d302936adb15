"""What one run says to another: starts, events, questions and their answers, cancels.

Everything goes through the run store, under ids that are the operation's own: an attempt that is
made again changes nothing. Who waits for an answer leaves the token of its Task with the run that
is asked; the answer, or the end of that run, rings it.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from perdure.codec import Json, encode
from perdure.errors import Unanswered
from perdure.operations import Handle
from perdure.runtime.engine import Completed, Failed, Outcome
from perdure.runtime.reads import child_seed
from perdure.runtime.values import encode_arguments, failed, result_of
from perdure.sites import children
from perdure.sites.addressed import CancelOther, Send, Start
from perdure.sites.cancel import ASK
from perdure.sites.state import text
from perdure.store.inbox import get_reply, put_event
from perdure.store.match import close, get_waiter, match, register, rung
from perdure.store.protocol import Doorbell, ResultWaiter, RunRecord, Waiter
from perdure.store.records import result_waiter_key, result_waiter_record, waiter_key
from perdure.store.runs import (
    add_result_waiter,
    claim_run,
    digest_of,
    get_run,
    ring_result_waiter,
)

if TYPE_CHECKING:
    from perdure.sites import Operation
    from perdure.sites.host import Host
    from perdure.sites.visit import Visit

__all__ = ["answered", "begin_ask", "cancel_other", "ring_answer", "send", "start_other"]

NO_RUN: Final = "no run {!r}"


def start_other(visit: "Visit", node: "Operation", path: str, ready: Start) -> Outcome:
    """Start a run that nobody waits for; its handle."""
    host, flow = visit.host, ready.flow
    try:
        arguments = encode_arguments(flow, ready.arguments, host.functions)
    except (TypeError, ValueError) as error:
        return failed(error)
    run = ready.id or f"{visit.state.run}/{path}"
    record = RunRecord(
        run=run,
        flow=flow.__perdure_ref__,
        input_digest=digest_of(arguments),
        input=arguments,
        versions=host.versions,
        seed=child_seed(visit.state.seed, path),
        started=host.now(),
        target=host.target,
    )
    try:
        claimed, _ = claim_run(host.store, record)
    except RuntimeError as error:  # RunConflict
        outcome: Outcome = failed(error)
    else:
        if claimed.end is None:
            children.start_run(host, claimed)
        outcome = Completed(run)
    _record(visit, node, path, "start", name=flow.name, arguments=arguments, outcome=outcome)
    if isinstance(outcome, Failed):
        return outcome
    return Completed(encode(Handle[object](run)))


def send(visit: "Visit", node: "Operation", path: str, ready: Send) -> Outcome:
    """Store an event for another run, once."""
    payload = encode(ready.payload, functions=visit.host.functions)
    outcome = _stored(visit, path, ready.handle.id, ready.event, payload, asks=False)
    arguments: dict[str, Json] = {"run": ready.handle.id, "payload": payload}
    _record(visit, node, path, "send", name=ready.event, arguments=arguments, outcome=outcome)
    return outcome


def cancel_other(visit: "Visit", node: "Operation", path: str, ready: CancelOther) -> Outcome:
    """Ask another run to cancel."""
    run = ready.handle.id
    if get_run(visit.host.store, run) is None:
        outcome: Outcome = failed(LookupError(NO_RUN.format(run)))
    else:
        children.cancel_run(visit.host, run)
        outcome = Completed(None)
    _record(visit, node, path, "cancel", name="cancel", arguments={"run": run}, outcome=outcome)
    return outcome


def begin_ask(visit: "Visit", operands: Mapping[str, Json], token: str) -> None:
    """Store the question, and leave the token where its answer will ring it."""
    host, state, path = visit.host, visit.state, text(operands["path"])
    other, event = text(operands["ask"]), f"{visit.state.run}/{path}"
    if get_run(host.store, other) is None or (visit.cancel_is_asked() and not state.cancelled):
        host.bell.ring(token)  # the site that comes next finds out what is wrong
        return
    register(host.store, Waiter(state.run, path, ASK, since=visit.run.time, token=token))
    bells = add_result_waiter(host.store, ResultWaiter(other, _asker(event), token))
    _stored(visit, path, other, text(operands["event"]), operands["payload"], asks=True)
    if (
        bells
        or get_reply(host.store, other, event) is not None
        or (visit.cancel_is_asked() and not state.cancelled)
        or visit.is_interrupted()
    ):
        host.bell.ring(token)


def answered(visit: "Visit") -> object:
    """What the other run has replied; `Unanswered` if it ended first."""
    host, run = visit.host, visit.state.run
    operands = visit.state.operands or {}
    path, other = text(operands["path"]), text(operands["ask"])
    reply = get_reply(host.store, other, f"{run}/{path}")
    outcome: Outcome | None = None
    if visit.is_cancelled():
        pass
    elif reply is not None:
        outcome = Completed(reply.value)
    elif (asked := get_run(host.store, other)) is None:
        outcome = failed(LookupError(NO_RUN.format(other)))
    elif asked.end is not None:
        outcome = failed(Unanswered(f"run {other} ended before it answered"))
    close(host.store, run, path)
    waiter = get_waiter(host.store, run, path)
    if waiter is not None and waiter.token is not None:
        rung(host.store, Doorbell(waiter.token, waiter_key(run, path)))
    arguments: dict[str, Json] = {"run": other, "payload": operands["payload"]}
    visit.records.add(
        path,
        "ask",
        text(operands["event"]),
        arguments,
        outcome,
        label=text(operands["label"]),
        time=visit.run.time,
    )
    if outcome is None:
        visit.give_up()
    return result_of(outcome, host.functions)


def ring_answer(host: "Host", run: str, event: str) -> None:
    """Tell whoever asked that there is an answer."""
    key = result_waiter_key(run, _asker(event))
    item = host.store.get(key)
    if item is None:
        return
    waiter = result_waiter_record(item)
    if not waiter.rung:
        host.bell.ring(waiter.token)
        ring_result_waiter(host.store, Doorbell(waiter.token, key))


def _asker(event: str) -> str:
    return f"ask {event}"


def _stored(
    visit: "Visit", path: str, run: str, event: str, payload: Json, *, asks: bool
) -> Outcome:
    host = visit.host
    if get_run(host.store, run) is None:
        return failed(LookupError(NO_RUN.format(run)))
    identity = f"{visit.state.run}/{path}"
    put_event(host.store, run, event, payload, id=identity, now=host.now(), asks=asks)
    for bell in match(host.store, run, event):
        host.bell.ring(bell.token)
        rung(host.store, bell)
    return Completed(None)


def _record(
    visit: "Visit",
    node: "Operation",
    path: str,
    kind: str,
    *,
    name: str,
    arguments: Mapping[str, Json],
    outcome: Outcome,
) -> None:
    visit.records.add(path, kind, name, arguments, outcome, label=node.label, time=visit.host.now())
