"""Durable tasks as futures of an event loop: what one episode of an orchestration waits for.

The SDK resumes an orchestrator at each event of its history, one at a time. `Durable` keeps what
was asked for in order, sets the futures of all that is done by then, and knows when an instant of
engine time is over: a timer that is due at once comes after everything that was stored before it.
"""

import asyncio
from collections.abc import Generator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, final

from perdure.reference.loop import VirtualLoop
from perdure.runtime.host import LostError

if TYPE_CHECKING:
    from perdure_azure.sdk import Context, DurableTask

__all__ = ["Durable", "utc"]


@final
class Durable:
    """The durable tasks of one episode."""

    def __init__(self, context: "Context") -> None:
        self.context = context
        self.loop = VirtualLoop(utc(context).timestamp())
        self._pending: list[tuple[DurableTask, asyncio.Future[object]]] = []
        self.changes = 0
        """How often anything was asked of the engine, or came from it."""
        self._quiet = 0
        """The changes when the last instant was over."""
        self._instant: asyncio.Future[object] | None = None

    def future(self, task: "DurableTask") -> asyncio.Future[object]:
        """The value of a task, LostError if it failed; cancelled, it drops the task."""
        future: asyncio.Future[object] = self.loop.create_future()
        self.changes += 1
        self._pending.append((task, future))
        if task.is_complete:
            self._collect()
        return future

    async def value(self, task: "DurableTask") -> object:
        """Wait for a task; whoever stops waiting drops it."""
        try:
            return await self.future(task)
        except asyncio.CancelledError:
            self._pending = [pair for pair in self._pending if pair[0] is not task]
            cancel = getattr(task, "cancel", None)
            if cancel is not None:
                cancel()
            raise

    async def until(self, when: float) -> None:
        """Wait for a moment; nothing is asked of the engine for one that has passed."""
        if when > utc(self.context).timestamp():
            await self.value(self.context.create_timer(datetime.fromtimestamp(when, UTC)))

    async def settle(self, depth: int) -> None:
        """Until nothing else is to come at this instant; deeper callers go first.

        Whoever went before may have asked for more, and then this waits for that too.
        """
        while True:
            await self._instant_over()
            await self.loop.settle(depth)
            if self._quiet == self.changes:
                return

    def wait(self) -> "Generator[DurableTask, object]":
        """Yield what the engine is to wait for, then hand out all that came."""
        from durabletask import task as sdk

        tasks: list[Any] = [task for task, _ in self._pending]
        first: Any = tasks[0] if len(tasks) == 1 else sdk.when_any(tasks)
        yield first
        self.loop.advance_to(utc(self.context).timestamp())
        self._collect()

    def is_idle(self) -> bool:
        """Whether nothing is under way but the wait for messages."""
        return len(self._pending) == 1

    def close(self) -> None:
        """Give up waiting, so that the engine keeps what comes from now on."""
        self._pending.pop()[0].cancel()

    async def _instant_over(self) -> None:
        if self._quiet == self.changes or len(self._pending) <= 1:
            self._quiet = self.changes
            return
        if self._instant is None:
            self._instant = self.future(self.context.create_timer(utc(self.context)))
            self._instant.add_done_callback(self._is_over)
        await asyncio.wait([self._instant])

    def _is_over(self, _: object) -> None:
        self._instant = None
        self._quiet = self.changes

    def _collect(self) -> None:
        done = [pair for pair in self._pending if pair[0].is_complete]
        self._pending = [pair for pair in self._pending if not pair[0].is_complete]
        self.changes += len(done)
        for task, future in done:
            if future.done():
                continue
            if task.is_failed:
                future.set_exception(LostError())
            else:
                future.set_result(task.get_result())


def utc(context: "Context") -> datetime:
    """Engine time; the SDK's own has no time zone."""
    return context.current_utc_datetime.replace(tzinfo=UTC)
