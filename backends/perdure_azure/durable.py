"""Durable tasks as futures of an event loop: what one episode of an orchestration waits for.

The SDK resumes an orchestrator at each event of its history, one at a time. `Durable` keeps what
was asked for in order, sets the futures of all that is done by then, and knows when an instant of
engine time is over: a timer that is due at once comes after everything that was stored before it.
"""

import asyncio
from collections.abc import Generator
from datetime import UTC, datetime
from typing import Protocol, final

from perdure.reference.loop import VirtualLoop

__all__ = ["CANCEL_EVENT", "Context", "Durable", "DurableTask", "LostError"]

CANCEL_EVENT = "perdure.cancel"
"""The event that cancels a run; no event of a flow can have this name."""


class DurableTask(Protocol):
    """A task of the SDK (`durabletask.task.Task`)."""

    @property
    def is_complete(self) -> bool:
        """Completed, failed or cancelled."""
        ...

    @property
    def is_failed(self) -> bool:
        """Failed."""
        ...

    def get_result(self) -> object:
        """Its value."""
        ...


class Context(Protocol):
    """What is used of `azure.durable_functions.DurableOrchestrationContext`."""

    @property
    def instance_id(self) -> str:
        """The id of the orchestration."""
        ...

    @property
    def current_utc_datetime(self) -> datetime:
        """Engine time, the same again when the orchestration is replayed."""
        ...

    @property
    def is_replaying(self) -> bool:
        """Whether this was executed in an earlier episode."""
        ...

    def get_input(self) -> object:
        """The input, decoded from JSON."""
        ...

    def call_activity(self, name: str, input_: object) -> DurableTask:
        """Schedule an activity."""
        ...

    def create_timer(self, fire_at: datetime) -> DurableTask:
        """Start a timer."""
        ...

    def wait_for_external_event(self, name: str) -> DurableTask:
        """Wait for the next event of a name."""
        ...

    def task_any(self, tasks: list[DurableTask]) -> DurableTask:
        """Wait for the first of some tasks."""
        ...

    def set_custom_status(self, status: object) -> None:
        """Publish what the orchestration is at."""
        ...


class LostError(Exception):
    """An activity ended without an outcome: its worker died, or it could not run at all."""


@final
class Durable:
    """The durable tasks of one episode."""

    def __init__(self, context: Context, loop: VirtualLoop) -> None:
        self.context = context
        self._loop = loop
        self._pending: list[tuple[DurableTask, asyncio.Future[object]]] = []
        self._changes = 0
        """How often anything was asked of the engine, or came from it."""
        self._quiet = 0
        """The changes when the last instant was over."""
        self._instant: asyncio.Future[object] | None = None

    @property
    def now(self) -> float:
        """Engine time in seconds since the epoch."""
        return self.context.current_utc_datetime.timestamp()

    def activity(self, name: str, call: object) -> asyncio.Future[object]:
        """The value of an activity; LostError if it has none."""
        return self._future(self.context.call_activity(name, call))

    def event(self, name: str) -> asyncio.Future[object]:
        """The payload of the next event of a name."""
        return self._future(self.context.wait_for_external_event(name))

    async def until(self, when: float) -> None:
        """Wait for a moment; nothing is asked of the engine for one that has passed."""
        if when <= self.now:
            return
        timer = self.context.create_timer(datetime.fromtimestamp(when, UTC))
        future = self._future(timer)
        try:
            await future
        except asyncio.CancelledError:
            self._drop(timer)
            raise

    async def settle(self, depth: int) -> None:
        """Until nothing else is to come at this instant; deeper callers go first.

        Whoever went before may have asked for more, and then this waits for that too.
        """
        while True:
            await self._instant_over()
            await self._loop.settle(depth)
            if self._quiet == self._changes:
                return

    def wait(self) -> Generator[DurableTask, object]:
        """Yield what the engine is to wait for, then hand out all that came."""
        tasks = [task for task, _ in self._pending]
        yield tasks[0] if len(tasks) == 1 else self.context.task_any(tasks)
        self._loop.advance_to(self.now)
        self._collect()

    async def _instant_over(self) -> None:
        if self._quiet == self._changes or len(self._pending) <= 1:
            self._quiet = self._changes
            return
        if self._instant is None:
            timer = self.context.create_timer(self.context.current_utc_datetime)
            self._instant = self._future(timer)
            self._instant.add_done_callback(self._is_over)
        await asyncio.wait([self._instant])

    def _is_over(self, _: object) -> None:
        self._instant = None
        self._quiet = self._changes

    def _future(self, task: DurableTask) -> asyncio.Future[object]:
        future: asyncio.Future[object] = self._loop.create_future()
        self._changes += 1
        self._pending.append((task, future))
        if task.is_complete:
            self._collect()
        return future

    def _collect(self) -> None:
        done = [pair for pair in self._pending if pair[0].is_complete]
        self._pending = [pair for pair in self._pending if not pair[0].is_complete]
        self._changes += len(done)
        for task, future in done:
            if future.done():
                continue
            if task.is_failed:
                future.set_exception(LostError())
            else:
                future.set_result(task.get_result())

    def _drop(self, task: DurableTask) -> None:
        """Nobody waits for it any more: a timer ends, an activity goes its way unseen."""
        self._pending = [pair for pair in self._pending if pair[0] is not task]
        cancel = getattr(task, "cancel", None)
        if cancel is not None:
            cancel()

    def forget(self, future: asyncio.Future[object]) -> None:
        """Give up waiting for an activity."""
        self._pending = [pair for pair in self._pending if pair[1] is not future]
