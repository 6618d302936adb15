"""Waits of the local engine: events and timers."""

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from perdure.codec import decode
from perdure.durations import due
from perdure.errors import InvalidInput
from perdure.local.journal import OperationState
from perdure.runtime.engine import Completed, EventWait, Outcome, Timer
from perdure.runtime.values import encode_payload, failed, misfit
from perdure.store.inbox import get_event
from perdure.store.match import expire, get_waiter, register
from perdure.store.protocol import Event, Waiter, WaiterState
from perdure.trace import sleep_arguments

if TYPE_CHECKING:
    from perdure.local.run import LocalRun

__all__ = ["sleep", "take_event"]


async def take_event(run: "LocalRun", wait: EventWait) -> Outcome:
    """Return the payload of the oldest event of a name, or TimeoutError('') at the due time."""
    try:
        before = await run.ended_before(wait.op, "event", wait.name)
        if before is not None:
            return before
        now = run.engine.now()
        deadline = None if wait.timeout is None else due(now, wait.timeout)
        state = run.open(wait.op, "event", wait.name, {}, due=deadline)
        _register(run, state)
        await run.engine.written()
        event = await _taken(run, state, wait.op.scope.depth + 1)
        if event is None:
            return await run.end(wait.op, failed(TimeoutError()))
        return await run.end(
            wait.op,
            _delivered(run, event, wait),
            event=event.id,
            sequence=event.sequence,
            asks=event.asks,
        )
    except asyncio.CancelledError:
        state_now = run.journal.operations.get(wait.op.path)
        if state_now is not None and not state_now.interrupted and not run.halted:
            run.interrupt(wait.op)
            run.close_wait(wait.op.path)
        raise


def _register(run: "LocalRun", state: OperationState) -> None:
    waiter = Waiter(run.id, state.path, (state.name,), since=state.began, deadline=state.due)

    def write() -> None:
        register(run.engine.store, waiter)

    run.engine.also(write)


async def _taken(run: "LocalRun", state: OperationState, depth: int) -> Event | None:
    """Wait for the decision of the waiter; None if its deadline came first."""
    store, engine = run.engine.store, run.engine
    while True:
        waiter = get_waiter(store, run.id, state.path)
        if waiter is not None and waiter.state is WaiterState.LIVE:
            if waiter.deadline is not None and engine.has_come(waiter.deadline):
                # What is stored at this very instant goes first.
                await run.settle(depth)
                if _is_to_be_cancelled(run):
                    # A cancel that came by the deadline wins: it is raised here.
                    await engine.loop.create_future()
                waiter = engine.commit(partial(expire, store, run.id, state.path, engine.now()))
            else:
                await engine.changed(run.id, run.id, waiter.deadline)
                continue
        if waiter is None or waiter.won is None:
            return None
        return get_event(store, run.id, waiter.won.name, waiter.won.sequence)


def _is_to_be_cancelled(run: "LocalRun") -> bool:
    """Whether this run, or one that waits for it, has a cancellation to see."""
    runs = run.engine.runs.values()
    return any(r.cancel_is_due for r in runs if f"{run.id}/".startswith(f"{r.id}/"))


def _delivered(run: "LocalRun", event: Event, wait: EventWait) -> Outcome:
    """Return the payload as the declared type; the sender may not have known it."""
    if wait.type is None:
        return Completed(event.payload)
    try:
        return Completed(encode_payload(decode(event.payload), wait.type))
    except InvalidInput as error:
        if run.engine.on_misfit is not None:
            run.engine.on_misfit(misfit(wait.name, error))
        return failed(error)


async def sleep(run: "LocalRun", timer: Timer) -> None:
    """Wait until a timer is due; a deadline's is recorded like a sleep's."""
    try:
        if await run.ended_before(timer.op, timer.kind, timer.kind) is not None:
            return
        now = run.engine.now()
        ends = due(now, timer.seconds if timer.until is None else timer.until - now)
        state = run.open(timer.op, timer.kind, timer.kind, sleep_arguments(timer), due=ends)
        await run.engine.until(ends if state.due is None else state.due, run.id)
        await run.end(timer.op, Completed(None))
    except asyncio.CancelledError:
        run.interrupt(timer.op)
        raise
