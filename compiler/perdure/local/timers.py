"""Futures that are to be done at a time on the engine's clock, each for one run."""

import asyncio
import heapq
import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    from perdure.local.loop import EngineLoop

__all__ = ["Timers"]

_LONGEST: Final = 30.0
"""A long sleep is taken in pieces: the wall clock may be set meanwhile."""


@final
class Timers:
    """All timers of one engine; one alarm of its loop stands for the first of them."""

    def __init__(self, loop: "EngineLoop", now: Callable[[], float]) -> None:
        self._loop = loop
        self._now = now
        self._heap: list[tuple[float, int, str, asyncio.Future[None]]] = []
        self._count = itertools.count()
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_due = float("inf")

    def set(self, due: float, run: str, future: "asyncio.Future[None]") -> None:
        """Let a future of a run be done when the clock shows `due`."""
        heapq.heappush(self._heap, (due, next(self._count), run, future))
        self._set_alarm()

    async def until(self, due: float, run: str) -> None:
        """Wait until the clock shows `due`; all that is due together goes on together."""
        while self._now() < due:
            future = self._loop.create_future()
            self.set(due, run, future)
            await future

    def next_due(self, runs: "frozenset[str] | None" = None) -> float | None:
        """Return when the next timer of these runs (or of any) is due."""
        if runs is not None:
            return min(
                (due for due, _, run, f in self._heap if run in runs and not f.done()), default=None
            )
        while self._heap and self._heap[0][3].done():
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def forget(self, runs: "frozenset[str]") -> None:
        """Drop the timers of these runs: whoever waits for them waits for ever."""
        self._heap = [item for item in self._heap if item[2] not in runs]
        heapq.heapify(self._heap)

    def _set_alarm(self) -> None:
        due = self.next_due()
        if due is None or (self._alarm is not None and self._alarm_due <= due):
            return
        if self._alarm is not None:
            self._alarm.cancel()
        wait = due - self._now()
        self._alarm_due = due
        wait = wait if self._loop.virtual else min(wait, _LONGEST)
        self._alarm = self._loop.call_later(max(0.0, wait), self._ring)

    def _ring(self) -> None:
        self._alarm, self._alarm_due = None, float("inf")
        now = self._now()
        while self._heap and self._heap[0][0] <= now:
            future = heapq.heappop(self._heap)[3]
            if not future.done():
                future.set_result(None)
        self._set_alarm()
