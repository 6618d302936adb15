"""The event loop of the local engine: real or virtual time, and a hook for when it is idle.

Idle means that every callback that was ready has run. At that moment the engine commits what was
recorded (so all branches that ended together share one sync to disk), then lets forks decide, and
only then waits, or, in virtual time, moves the clock to the next timer.
"""

import asyncio
import selectors
from collections import deque
from collections.abc import Callable, Mapping
from contextvars import Context
from math import inf, nextafter, ulp
from time import monotonic
from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike

__all__ = ["EPOCH", "EngineLoop"]

EPOCH: Final = 1_767_225_600.0
"""2026-01-01T00:00:00Z, where virtual time starts."""

_STAND_BACK: Final = 1e-7
_BREATH: Final = 0.02
"""Seconds without an idle moment after which one is made, for writing."""
_RESOLUTION: Final = 5e-8
"""Seconds before an instant at which its timers do not ring yet; less than clocks show."""


@final
class _IdleSelector(selectors.BaseSelector):
    """A selector that tells the loop when it would wait."""

    def __init__(self) -> None:
        self._inner = selectors.DefaultSelector()
        self.on_idle: Callable[[float | None], float | None] = _just_wait
        self.on_busy: Callable[[], object] = _nothing
        self._breath = monotonic()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout > 0:
            timeout = self.on_idle(timeout)
            self._breath = monotonic()
        elif monotonic() - self._breath > _BREATH:
            # Somebody is always ready: what was recorded does not wait for that.
            self.on_busy()
            self._breath = monotonic()
        return self._inner.select(timeout)

    def register(
        self, fileobj: "FileDescriptorLike", events: int, data: object = None
    ) -> selectors.SelectorKey:
        return self._inner.register(fileobj, events, data)

    def unregister(self, fileobj: "FileDescriptorLike") -> selectors.SelectorKey:
        return self._inner.unregister(fileobj)

    def modify(
        self, fileobj: "FileDescriptorLike", events: int, data: object = None
    ) -> selectors.SelectorKey:
        return self._inner.modify(fileobj, events, data)

    def get_map(self) -> Mapping["FileDescriptorLike", selectors.SelectorKey]:
        return self._inner.get_map()

    def close(self) -> None:
        self._inner.close()


def _just_wait(timeout: float | None) -> float | None:
    return timeout


@final
class EngineLoop(asyncio.SelectorEventLoop):
    """`on_idle` is called when nothing is ready; it says whether it made something ready.

    In virtual time `time()` stands still but for timers, and while `busy` work (the body of a
    step that does real I/O) is under way.
    """

    def __init__(self, *, virtual: bool = False) -> None:
        self._scheduled: list[asyncio.TimerHandle]  # asyncio's own
        self._idle_selector = _IdleSelector()
        super().__init__(self._idle_selector)
        self._idle_selector.on_idle = self._idle
        self._idle_selector.on_busy = self._busy
        self.on_idle: Callable[[], bool] = _nothing
        self.on_busy: Callable[[], object] = _nothing
        """Called now and then while something is always ready."""
        self.virtual = virtual
        self.busy = 0
        self.stuck: Callable[[], None] = _stay
        """Called in virtual time when no timer is left that could ever wake anybody."""
        if virtual:
            # A nanosecond, as asyncio has it, is lost beside half a year: a due timer never ran.
            self._clock_resolution = _RESOLUTION
        self._virtual_time = 0.0
        self.is_digesting = False
        """What just came from outside has not had all its consequences yet: timers stand back."""
        self._outside: deque[tuple[float, Callable[[], None]]] = deque()

    def time(self) -> float:
        """Seconds on the loop's clock."""
        if not self.virtual:
            return super().time()
        if not self.is_digesting:
            return self._virtual_time
        return min(self._virtual_time - _STAND_BACK, nextafter(self._virtual_time, -inf))

    def call_later[*Ts](
        self,
        delay: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Run a callback after a delay, counted from where virtual time really is."""
        now = self._virtual_time if self.virtual else super().time()
        return self.call_at(now + delay, callback, *args, context=context)

    def advance(self, seconds: float) -> None:
        """Move virtual time on."""
        self._move_to(self._virtual_time + seconds)

    def happen_at(self, when: float, happen: Callable[[], None]) -> None:
        """Let something happen from outside, in virtual time: calls in order of time.

        It comes before the timers of its instant, and only when all is done that came before.
        """
        self._outside.append((when, happen))

    def _idle(self, timeout: float | None) -> float | None:
        if self.on_idle():
            return 0
        if not self.virtual or self.busy:
            return timeout
        until = self._virtual_time if self.is_digesting else self._next(timeout)
        if self._outside and self._outside[0][0] <= until:
            when, happen = self._outside.popleft()
            self._move_to(max(self._virtual_time, when))
            self.is_digesting = True
            happen()
        elif self.is_digesting:
            self.is_digesting = False
        elif timeout is None:
            self.stuck()
        else:
            self._move_to(until)
        return 0

    def _move_to(self, moment: float) -> None:
        self._virtual_time = moment
        # asyncio runs timers that are due before the clock and its resolution: never none.
        self._clock_resolution = max(_RESOLUTION, ulp(moment))

    def _busy(self) -> None:
        self.on_busy()

    def _next(self, timeout: float | None) -> float:
        """When the next timer rings; `timeout` itself is never more than a day."""
        if timeout is None:
            return inf
        # asyncio has dropped the cancelled ones that come first.
        return max(self._virtual_time, self._scheduled[0].when())


def _nothing() -> bool:
    return False


def _stay() -> None:
    raise RuntimeError("nothing is left that could wake the run")
