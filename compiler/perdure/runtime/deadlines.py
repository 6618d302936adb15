"""`timeout`, `timeout_at` and `wait_for`: a deadline on the operations inside, as in CPython.

The deadline is a timer of the engine, due at a whole second. What else is due at that instant
goes first; then the task is cancelled, handlers and `finally` inside run, and on leaving the
block the cancellation becomes TimeoutError, unless somebody outside cancelled too.
"""

import asyncio
from collections.abc import Awaitable
from types import TracebackType
from typing import Any, Literal, final

from perdure.durations import due, seconds_of
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
        self._op: Operation | None = None
        self._scope: Scope | None = None
        self._depth = 0
        self._task: asyncio.Task[Any] | None = None
        self._cancelling = 0
        self._moves = 0

    def expired(self) -> bool:
        """Whether the deadline has passed while the block was running."""
        return self._state in ("expiring", "expired")

    def when(self) -> float | None:
        """When it is due, on the clock that `time.monotonic()` reads; None: never."""
        return self._when

    def reschedule(self, when: float | None) -> None:
        """Another due time, while the block runs."""
        if self._state == "created":
            raise RuntimeError("Timeout has not been entered")
        if self._state != "active" or self._op is None:
            raise RuntimeError(f"Cannot change state of {self._state} Timeout")
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._moves += 1
        self._when = when
        self._begin(self._op._replace(path=f"{self._op.path}~{self._moves}"))

    async def __aenter__(self) -> "Deadline":
        if self._state != "created":
            raise RuntimeError("Timeout has already been entered")
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("Timeout should be used inside a task")
        self._scope = scope = running_scope()
        self._state = "active"
        self._cancelling = task.cancelling()
        self._op = op = Operation(scope.enter(self._site.label), self._site, scope)
        scope.depth += 1
        self._depth, self._task = scope.depth, task
        self._begin(op)
        return self

    def _begin(self, op: Operation) -> None:
        """Watch the clock, which is read once for each due time."""
        if self._seconds is None and self._when is None:
            return
        now = op.scope.run.now(op.path, 0)
        seconds = self._when - now if self._when is not None else self._seconds or 0.0
        self._when, self._seconds = due(now, seconds), None
        watch = self._watch(Timer(op, "timeout", 0.0, self._when))
        self._timer = asyncio.get_running_loop().create_task(watch)

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

    async def _watch(self, timer: Timer) -> None:
        run = timer.op.scope.run
        await run.sleep(timer)
        await run.settle(self._depth)
        if self._state == "active" and self._task is not None:
            self._state = "expiring"
            self._task.cancel()


async def wait_for(site: Site, work: Awaitable[Any], timeout: object) -> Any:
    """`asyncio.wait_for`: nothing starts when no time is left."""
    if timeout is not None and seconds_of(timeout) <= 0:
        close = getattr(work, "close", None)
        if close is not None:
            close()
        raise TimeoutError
    async with Deadline(site, timeout):
        return await work
