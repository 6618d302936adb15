"""What an episode of a run waits for: tasks of an engine's SDK as futures of an event loop.

An engine that replays gives its history back event by event. `Waits` keeps what was asked for in
order, sets the futures of all that is done by then, and knows when an instant of engine time is
over: a timer that is due at once comes after everything that was stored before it.
"""

import asyncio
from collections.abc import Generator, Sequence
from typing import Protocol, final

from perdure.runtime.host import LostError
from perdure.runtime.loop import VirtualLoop

__all__ = ["Tasks", "Waits"]


class Tasks[T](Protocol):
    """The tasks of an SDK, whatever they are."""

    def now(self) -> float:
        """Engine time, the same again when it is replayed."""
        ...

    def timer(self, when: float) -> T:
        """The task that is done at a moment."""
        ...

    def is_done(self, task: T) -> bool:
        """Whether it has ended."""
        ...

    def value(self, task: T) -> object:
        """Of a task that has ended; LostError if it failed."""
        ...

    def drop(self, task: T) -> None:
        """Nobody waits for it any more."""
        ...

    def first(self, tasks: Sequence[T]) -> T:
        """What an orchestrator yields to go on when one of these is done."""
        ...


@final
class Waits[T]:
    """The tasks of one episode."""

    def __init__(self, tasks: Tasks[T]) -> None:
        self._tasks = tasks
        self.loop = VirtualLoop(tasks.now())
        self._pending: list[tuple[T, asyncio.Future[object]]] = []
        self._listening: set[asyncio.Future[object]] = set()
        """Waits for what may never come, always open."""
        self.asked = 0
        """How many tasks there were."""
        self.changes = 0
        """How often anything was asked of the engine, or came from it."""
        self._quiet = 0
        """The changes when the last instant was over."""
        self._instant: tuple[T, asyncio.Future[object]] | None = None
        """The timer that says that this instant is over, and how many wait for it."""
        self._settling = 0

    def future(self, task: T) -> asyncio.Future[object]:
        """The value of a task, LostError if it failed."""
        future: asyncio.Future[object] = self.loop.create_future()
        self.asked += 1
        self.changes += 1
        self._pending.append((task, future))
        if self._tasks.is_done(task):
            self._collect()
        return future

    def listening(self, task: T) -> asyncio.Future[object]:
        """The same for a wait that is always open."""
        future = self.future(task)
        if not future.done():
            self._listening.add(future)
        return future

    async def value(self, task: T) -> object:
        """Wait for a task; whoever stops waiting drops it."""
        try:
            return await self.future(task)
        except asyncio.CancelledError:
            self._drop(task)
            raise

    async def until(self, when: float) -> None:
        """Wait for a moment; nothing is asked of the engine for one that has passed."""
        while when > self._tasks.now():
            await self.value(self._tasks.timer(when))

    async def settle(self, depth: int) -> None:
        """Until nothing else is to come at this instant; deeper callers go first.

        Whoever went before may have asked for more, and then this waits for that too.
        """
        while True:
            await self._instant_over()
            await self.loop.settle(depth)
            if self._quiet == self.changes:
                return

    def next(self) -> Generator[T, object]:
        """Yield what the engine is to wait for, then hand out all that came."""
        yield self._tasks.first([task for task, _ in self._pending])
        self.loop.advance_to(self._tasks.now())
        self._collect()

    def is_idle(self) -> bool:
        """Whether nothing is under way but the waits that are always open."""
        return len(self._pending) == len(self._listening)

    def close(self) -> None:
        """Give up waiting, so that the engine keeps what comes from now on."""
        for task, _ in self._pending:
            self._tasks.drop(task)
        self._pending.clear()

    async def _instant_over(self) -> None:
        if self._quiet == self.changes or self.is_idle():
            self._quiet = self.changes
            return
        if self._instant is None:
            timer = self._tasks.timer(self._tasks.now())
            self._instant = timer, self.future(timer)
            self._instant[1].add_done_callback(self._is_over)
        self._settling += 1
        try:
            await asyncio.wait([self._instant[1]])
        finally:
            self._settling -= 1
            if not self._settling:
                self._forget_instant()

    def _forget_instant(self) -> None:
        """Who waited for its end was cancelled: the run may end now, with no timer open."""
        if self._instant is not None:
            self._drop(self._instant[0])
            self._instant = None

    def _is_over(self, _: object) -> None:
        self._instant = None
        self._quiet = self.changes

    def _drop(self, task: T) -> None:
        self._pending = [pair for pair in self._pending if pair[0] is not task]
        self._tasks.drop(task)

    def _collect(self) -> None:
        done = [pair for pair in self._pending if self._tasks.is_done(pair[0])]
        self._pending = [pair for pair in self._pending if not self._tasks.is_done(pair[0])]
        self.changes += len(done)
        for task, future in done:
            self._listening.discard(future)
            if future.done():
                continue
            try:
                future.set_result(self._tasks.value(task))
            except LostError as lost:
                future.set_exception(lost)
