"""One invocation of the sites function: a state comes in, the next one goes out.

    run    drive to the operation, perform it, drive on to the next stop
    route  drive to the next stop
    wait   register a wait under a task token; what answers is the doorbell
    pause  likewise, of a wait for time alone
    child  start a child flow, whose end rings the token

Nothing here knows Lambda, DynamoDB or moto: those are the `Host`.
"""

import asyncio
from collections.abc import Mapping

from perdure.codec import Json
from perdure.runtime.engine import Failed, Outcome
from perdure.runtime.frames import make_room
from perdure.runtime.scope import current
from perdure.runtime.usage import Usage, usage_from
from perdure.runtime.values import result_of
from perdure.sites import (
    children,
    forked,
    handover,
    messages,
    open_groups,
    site_forks,
    site_waits,
    wide,
)
from perdure.sites.addressed import CancelOther, Message, Send, Start
from perdure.sites.host import Host
from perdure.sites.operands import StepCall
from perdure.sites.operations import Again, attempt_step, perform_message, trace_line
from perdure.sites.state import fields, text
from perdure.sites.visit import Visit

__all__ = ["invoke"]


def invoke(host: Host, event: Mapping[str, Json]) -> Json:
    """Answer one invocation; what it raises fails the Task under the exception's `error_type`."""
    event = handover.enter(host, event)
    if not event:
        return None
    make_room()
    visit = Visit(host, event)
    token = current.set(visit.counts)
    try:
        return _answer(visit, event)
    finally:
        current.reset(token)


def _answer(visit: Visit, event: Mapping[str, Json]) -> Json:
    if "handover" in event:
        handover.begin_generation(visit, text(event["token"]))
        return None
    if "handed" in event:
        return handover.handed_over(visit)
    if "execution" in event:
        handover.check_history(visit)
    if visit.state.chunk is not None:
        wide.end_chunk(visit, visit.state.chunk)
    if "wide" in event:
        wide.begin_chunks(visit, text(event["token"]))
        return None
    if "fork" in event:
        forked.begin(visit, text(event["token"]))
        return None
    if "over" in event:
        return _lost_branch(visit)
    if "wait" in event:
        site_waits.register_wait(visit, text(event["wait"]), text(event["token"]))
        return None
    if "child" in event:
        operands = visit.state.operands or {}
        if "ask" in operands:
            messages.begin_ask(visit, operands, text(event["token"]))
        else:
            children.begin_child(visit, text(event["token"]))
        return None
    if "lingering" in event:
        children.await_overtaken(visit, text(event["token"]))
        return None
    if "pause" in event:
        site_waits.paused(visit, text(event["pause"]), text(event["token"]))
        return None
    if "run" in event:
        return _perform(visit, text(event["run"]))
    route = event.get("route")
    return _route(visit, None if route is None else text(route))


def _lost_branch(visit: Visit) -> Json:
    """A branch that is an execution of its own ended with an error that no site of it saw."""
    error = fields(fields(fields(visit.event["next"])["end"]).get("error", {}))
    return {"next": site_forks.branch_end(visit, "error", dict(error)) if error else {"end": {}}}


def _perform(visit: Visit, pc: str) -> Json:
    """Drive to the operation at `pc`, perform it, drive on."""
    stop = visit.drive(pc)
    if stop.kind != "operation" or stop.at != pc:
        raise visit.failed(stop)
    open_groups.begin_tasks(visit)
    outcome = _operation(visit, pc, stop.value)
    visit.run.time = visit.host.now()
    if visit.is_cancelled():
        raise visit.failed(visit.site.fail(pc, asyncio.CancelledError()))
    try:
        if outcome is None:
            visit.pass_deadline()
        value = result_of(outcome)
    except BaseException as error:  # the flow's own, its handlers take it
        raise visit.failed(visit.site.fail(pc, error)) from None
    stop = visit.site.resume(pc, value)
    if stop.raised is not None and "late" not in visit.event:
        raise visit.failed(stop)
    return visit.reply(stop)


def _route(visit: Visit, target: str | None) -> Json:
    """Drive to the next stop."""
    stop = visit.drive(target)
    if stop.raised is not None:
        raise visit.failed(stop)
    return visit.reply(stop)


def _operation(visit: Visit, pc: str, ready: object) -> Outcome | None:
    node = visit.node(pc)
    if isinstance(ready, StepCall) and ready.value is not None:
        return _step(visit, pc, ready.value.path, ready)
    path = visit.counts.enter(node.label)
    match ready:
        case StepCall():
            return _step(visit, pc, path, ready)
        case Message():
            return perform_message(
                visit.host.store,
                visit.state.run,
                ready.name,
                ready.value,
                scope=visit.state.path,
                path=path,
                label=node.label,
                now=visit.host.now(),
                records=visit.records,
                answered=lambda event: messages.ring_answer(visit.host, visit.state.run, event),
            )
        case Start():
            return messages.start_other(visit, node, path, ready)
        case Send():
            return messages.send(visit, node, path, ready)
        case CancelOther():
            return messages.cancel_other(visit, node, path, ready)
        case _:
            raise TypeError(f"not an operation of a site: {ready!r}")


def _step(visit: Visit, pc: str, path: str, ready: StepCall) -> Outcome | None:
    """One attempt; at a cancel of the run none follows, and the last one is the outcome.

    None: a deadline has overtaken the step.
    """
    again, arguments = visit.state.again, ready.arguments
    number = 1 if again is None else int(str(again["attempt"]))
    spent = [*usage_from(None if again is None else again.get("usage"))]

    def line(outcome: Outcome | None, attempts: int) -> dict[str, Json]:
        return trace_line(
            path,
            "step",
            ready.step.name,
            arguments,
            outcome,
            label=visit.node(pc).label,
            time=visit.host.now(),
            attempts=attempts,
            site=None if ready.value is None else ready.value.site,
            usage=spent,
        )

    if again is not None and visit.cancel_is_asked() and not visit.state.cancelled:
        outcome: Outcome | None = Failed(again["last"])
        number -= 1
    else:
        if again is not None:
            site_waits.end_pause(visit, again)
        is_late = again is not None and (again.get("overtaken") or visit.is_interrupted())
        ended = None if is_late else _attempt(visit, path, ready, number, spent)
        if isinstance(ended, Again):
            if visit.state.cancelled or not visit.cancel_is_asked():
                raise visit.again(ended, pc, line(ended.last, number))
            ended = ended.last
        outcome = ended
    if visit.is_overtaken() or visit.is_interrupted():
        outcome = None
    visit.records.lines.append(line(outcome, number))
    return outcome


def _attempt(
    visit: Visit, path: str, ready: StepCall, number: int, spent: list[Usage]
) -> Outcome | Again | None:
    return attempt_step(
        visit.host.steps,
        ready.step,
        ready.arguments,
        run=visit.state.run,
        path=path,
        number=number,
        now=visit.host.now,
        until=visit.next_deadline(),
        is_cancelled=lambda: not visit.state.cancelled and visit.cancel_is_asked(),
        spent=spent,
    )
