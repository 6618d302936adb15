"""Flows started by flows: children that are awaited, and runs that nobody waits for."""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from perdure.codec import decode_error
from perdure.durations import due
from perdure.local.engine import STORE_FAULTS, Busy, Start
from perdure.local.journal import OperationState
from perdure.runtime.branches import message_of
from perdure.runtime.engine import Completed, Failed, FlowCall, Outcome
from perdure.runtime.reads import child_seed
from perdure.runtime.retries import delay_before_next
from perdure.runtime.values import failed
from perdure.store.protocol import End, Status
from perdure.store.runs import get_run

if TYPE_CHECKING:
    from perdure.local.run import LocalRun

__all__ = ["outcome_of", "run_child", "start_other"]


async def run_child(run: "LocalRun", call: FlowCall) -> Outcome:
    """Return the recorded outcome, or drive the child to its end.

    Cancelled, whatever the reason, the child is cancelled and does its cleanup first.
    """
    child: LocalRun | None = None
    try:
        before = await run.ended_before(call.op, "flow", call.name, dict(call.arguments))
        if before is not None:
            return before
        state = run.open(call.op, "flow", call.name, dict(call.arguments))
        while True:
            if state.retry_at is not None:
                await run.engine.until(state.retry_at, run.id)
            number = state.attempts + 1
            identity = _identity(run, call, number)
            if state.child != identity:
                run.append("attempt", path=call.op.path, number=number, child=identity)
            child = _child(run, call, number)
            outcome = outcome_of(await asyncio.shield(child.ended))
            if not _tries_again(run, call, state, outcome):
                return await run.end(call.op, outcome)
    except asyncio.CancelledError as error:
        known = run.journal.operations.get(call.op.path)
        if child is None and known is not None and known.child and known.outcome is None:
            child = _child(run, call, known.attempts + 1)
        if child is not None:
            await _cancel(run, child, message_of(error))
        run.interrupt(call.op)
        raise


def _identity(run: "LocalRun", call: FlowCall, number: int) -> str:
    return f"{run.id}/{call.op.path}" if number == 1 else f"{run.id}/{call.op.path}~{number}"


def _child(run: "LocalRun", call: FlowCall, number: int) -> "LocalRun":
    identity = _identity(run, call, number)
    name = identity.removeprefix(f"{run.id}/")
    driven = run.engine.runs.get(identity)
    if driven is not None:
        return driven
    seed = child_seed(run.seed, name)
    start = Start(call.flow, call.arguments, run.record.versions, identity, seed, run.id)
    record = run.engine.claim(start)
    return run.engine.drive_held(record, call.flow, run.tree, f"{run.prefix}{name}/")


def _tries_again(run: "LocalRun", call: FlowCall, state: OperationState, outcome: Outcome) -> bool:
    """Record that the child is tried again as a unit, if its policy says so."""
    if not isinstance(outcome, Failed):
        return False
    number = state.attempts + 1
    error = decode_error(outcome.error)
    delay = delay_before_next(call.flow.retry, error, number, run.engine.jitter())
    if delay is None:
        return False
    retry_at = due(run.engine.now(), delay)
    run.append("failed", path=call.op.path, number=number, error=outcome.error, retry_at=retry_at)
    return True


async def _cancel(run: "LocalRun", child: "LocalRun", message: str | None) -> None:
    if not child.ended.done() and message is None:
        child.overtaken = True
    elif not child.ended.done():
        run.engine.cancel(child.id)
    while not child.ended.done() and not run.halted:
        with suppress(asyncio.CancelledError):
            await asyncio.wait({child.ended})


def outcome_of(end: End) -> Outcome:
    """Return the end of a run as whoever waits for it sees it."""
    if end.status is Status.COMPLETED:
        return Completed(end.value)
    if end.status is Status.FAILED:
        return Failed(end.error)
    return failed(asyncio.CancelledError())


async def start_other(run: "LocalRun", call: FlowCall) -> str:
    """Start a run that nobody waits for, and drive it along with this one; its id."""
    try:
        before = await run.ended_before(call.op, "start", call.name, dict(call.arguments))
        if before is None:
            run.open(call.op, "start", call.name, dict(call.arguments))
            before = await run.end(call.op, await _started(run, call))
        elif isinstance(before, Completed):
            _drive_along(run, call, str(before.value))
    except asyncio.CancelledError:
        run.interrupt(call.op)
        raise
    if isinstance(before, Failed):
        raise decode_error(before.error)
    return str(before.value)


async def _started(run: "LocalRun", call: FlowCall) -> Outcome:
    identity = call.id or f"{run.id}/{call.op.path}"
    try:
        if call.on is not None and call.on != "local":
            from perdure.runtime.clients import connect

            client = connect(call.on)
            return Completed(await client.start(call.flow, call.arguments, identity))
        seed = child_seed(run.seed, call.op.path)
        start = Start(call.flow, call.arguments, run.record.versions, identity, seed)
        run.engine.claim(start)
    except STORE_FAULTS:
        raise
    except Exception as error:
        return failed(error)
    _drive_along(run, call, identity)
    return Completed(identity)


def _drive_along(run: "LocalRun", call: FlowCall, identity: str) -> None:
    record = get_run(run.engine.store, identity)
    if record is not None and record.end is None:
        # If another process drives it already, that is as good.
        with suppress(Busy):
            run.engine.drive(record, call.flow)
