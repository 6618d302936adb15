"""`timeout`, `timeout_at` and `wait_for`: a deadline on the operations inside, as in CPython.

The deadline is a timer of the engine, due at a whole second. What else is due at that instant
goes first; then the task is cancelled, handlers and `finally` inside run, and on leaving the
block the cancellation becomes TimeoutError, unless somebody outside cancelled too.
"""

import asyncio
from collections.abc import Awaitable
from types import TracebackType
from typing import Any, Literal, final

from perdure.durations import seconds_of
from perdure.runtime.engine import Operation, Timer
from perdure.runtime.perform import running_scope
from perdure.runtime.scope import Scope
from perdure.runtime.site import Site

__all__ = ["Deadline", "wait_for"]


@final
class Deadline:
    """What `asyncio.timeout(delay)` gives: an async context manager, entered once."""

    def __init__(self, site: Site, delay: object = None, *, when: float | None = None) -> None:
        self._site = site
        self._seconds = None if delay is None else seconds_of(delay)
        self._when = when
        self._state: Literal["created", "active", "expiring", "expired", "finished"] = "created"
        self._timer: asyncio.Task[None] | None = None
        self._scope: Scope | None = None
        self._cancelling = 0

    def expired(self) -> bool:
        """Whether the deadline has passed while the block was running."""
        return self._state in ("expiring", "expired")

    def when(self) -> float | None:
        """The due time given to `timeout_at`."""
        return self._when

    async def __aenter__(self) -> "Deadline":
        if self._state != "created":
            raise RuntimeError("Timeout has already been entered")
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("Timeout should be used inside a task")
        self._scope = scope = running_scope()
        self._state = "active"
        self._cancelling = task.cancelling()
        op = Operation(scope.enter(self._site.label), self._site, scope)
        scope.depth += 1
        if self._seconds is not None or self._when is not None:
            timer = Timer(op, "timeout", self._seconds or 0.0, self._when)
            watch = self._watch(timer, scope.depth, task)
            self._timer = asyncio.get_running_loop().create_task(watch)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        task = asyncio.current_task()
        if self._scope is not None:
            self._scope.depth -= 1
        if self._timer is not None:
            self._timer.cancel()
        if self._state == "active" or task is None:
            self._state = "finished"
            return
        self._state = "expired"
        nobody_else = task.uncancel() <= self._cancelling
        if nobody_else and isinstance(error, asyncio.CancelledError):
            raise TimeoutError from error

    async def _watch(self, timer: Timer, depth: int, task: "asyncio.Task[Any]") -> None:
        run = timer.op.scope.run
        await run.sleep(timer)
        await run.settle(depth)
        if self._state == "active":
            self._state = "expiring"
            task.cancel()


async def wait_for(site: Site, work: Awaitable[Any], timeout: object) -> Any:
    """`asyncio.wait_for`: nothing starts when no time is left."""
    if timeout is not None and seconds_of(timeout) <= 0:
        close = getattr(work, "close", None)
        if close is not None:
            close()
        raise TimeoutError
    async with Deadline(site, timeout):
        return await work
