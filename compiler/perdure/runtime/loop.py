"""A deterministic asyncio event loop in virtual time.

When nothing is ready the clock jumps to the next timer; when there is none either the loop has
stalled, and `run` returns. Seed 0 runs what is ready first in, first out; any other seed
picks among it. `settle` waits until nothing is ready at this instant, deeper callers first.

Of `BaseEventLoop` only what needs no queue or file descriptor is used: its own scheduling can
only be steered through private attributes.
"""

import asyncio
import contextvars
import heapq
import random
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, final

__all__ = ["VirtualLoop"]


_OUTSIDE = 1 << 60
"""Makes orders negative: what comes from outside goes before all timers."""


@final
class _Call(asyncio.TimerHandle):
    """A callback that is due at `when`; `order` keeps those of one instant first in, first out."""

    __slots__ = ("order", "run")

    def __init__(  # noqa: PLR0917  # TimerHandle's own, and one
        self,
        when: float,
        order: int,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: "VirtualLoop",
        context: contextvars.Context | None,
    ) -> None:
        context = contextvars.copy_context() if context is None else context
        super().__init__(when, callback, args, loop, context)
        self.order = order
        self.run: Callable[[], object] = lambda: context.run(callback, *args)

    def __lt__(self, other: object) -> bool:
        return isinstance(other, _Call) and (self.when(), self.order) < (other.when(), other.order)


@final
class VirtualLoop(asyncio.BaseEventLoop):
    """One world in virtual time: `run` drives it until `stop`, or until it has stalled."""

    def __init__(self, start: float, seed: int = 0) -> None:
        super().__init__()
        self._now = start
        self._random = random.Random(seed) if seed else None
        self._waiting: deque[_Call] = deque()
        self._timers: list[_Call] = []
        self._settling: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = 0
        self._halt = False
        self._over = False
        self.errors: list[BaseException] = []
        """What callbacks raised that nobody can handle: faults of the runner."""

    def run(self) -> None:
        """Drive until `stop()` or until nothing can ever happen."""
        self._halt = False
        before = asyncio._get_running_loop()
        asyncio._set_running_loop(self)
        try:
            while not self._halt and self._turn():
                pass
        finally:
            asyncio._set_running_loop(before)

    def advance_to(self, now: float) -> None:
        """Move the clock on, where time comes from outside."""
        self._now = max(self._now, now)

    def drain(self, most: int) -> None:
        """Run at most so many callbacks that are ready; the clock stands still."""
        before = asyncio._get_running_loop()
        asyncio._set_running_loop(self)
        try:
            while self._waiting and most > 0:
                self._pick().run()
                most -= 1
        finally:
            asyncio._set_running_loop(before)

    def happen_at(self, when: float, callback: Callable[[], object]) -> None:
        """Something from outside: before the timers of its instant, in the order of the calls."""
        order = self._next() - _OUTSIDE
        heapq.heappush(self._timers, _Call(when, order, callback, (), self, None))

    async def settle(self, depth: int) -> None:
        """Wait until nothing else is ready at this instant."""
        settled = self.create_future()
        heapq.heappush(self._settling, (-depth, self._next(), settled))
        await settled

    def _turn(self) -> bool:
        if self._waiting:
            call = self._pick()
            if not call.cancelled():
                call.run()
            return True
        if self._settling:
            settled = heapq.heappop(self._settling)[2]
            if not settled.done():
                settled.set_result(None)
            return True
        while self._timers and self._timers[0].cancelled():
            heapq.heappop(self._timers)
        if not self._timers:
            return False
        self._now = max(self._now, self._timers[0].when())
        while self._timers and self._timers[0].when() <= self._now:
            call = heapq.heappop(self._timers)
            self._waiting.append(call)
            if call.order < 0:
                # From outside: one at a time, and its consequences before the next.
                break
        return True

    def _pick(self) -> _Call:
        if self._random is not None and len(self._waiting) > 1:
            self._waiting.rotate(-self._random.randrange(len(self._waiting)))
        return self._waiting.popleft()

    def _next(self) -> int:
        self._order += 1
        return self._order

    # What asyncio's tasks, futures and waits need of a loop; all else raises NotImplementedError.

    def time(self) -> float:
        """Seconds since the epoch."""
        return self._now

    def call_soon[*Ts](
        self,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        """Run a callback at this instant."""
        call = _Call(self._now, self._next(), callback, args, self, context)
        self._waiting.append(call)
        return call

    def call_at[*Ts](
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """Run a callback at a moment."""
        call = _Call(when, self._next(), callback, args, self, context)
        heapq.heappush(self._timers, call)
        return call

    def call_later[*Ts](
        self,
        delay: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """Run a callback after a delay."""
        return self.call_at(self._now + delay, callback, *args, context=context)

    def create_future(self) -> asyncio.Future[Any]:
        """A future of this loop."""
        return asyncio.Future(loop=self)

    def create_task[T](self, coro: Coroutine[Any, Any, T], **options: Any) -> asyncio.Task[T]:
        """A task of this loop."""
        return asyncio.Task(coro, loop=self, **options)

    def stop(self) -> None:
        """Return from `run` after this callback."""
        self._halt = True

    def close(self) -> None:
        """Forget what is left."""
        self._over = True
        self._waiting.clear()
        self._timers.clear()
        self._settling.clear()

    def is_running(self) -> bool:
        """Whether this is the running loop."""
        return asyncio._get_running_loop() is self

    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._over

    def get_debug(self) -> bool:
        """Never: debug mode measures wall-clock time."""
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep the fault; what is left over after the end is nobody's."""
        error = context.get("exception")
        if not self._over and isinstance(error, BaseException):
            self.errors.append(error)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Called by `TimerHandle.cancel`; cancelled timers are skipped when they come up."""
