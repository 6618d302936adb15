"""The local engine: drives runs in one event loop, on one store file.

Everything that is recorded goes into one buffer, which is committed when the loop is idle: what
ended together shares one sync to disk, and nobody sees an outcome before it is durable. The rest
of the idle moment lets forks decide (`settle`), deeper scopes first, and hands out cancellations.
"""

import asyncio
import heapq
import itertools
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple, final

from perdure.local.bodies import Bodies, RealBodies
from perdure.local.journal import NO_SYNC
from perdure.local.lease import RENEW, Held, Leases
from perdure.local.log import Entry, EventLog
from perdure.local.loop import EngineLoop
from perdure.store.inbox import put_event
from perdure.store.match import match
from perdure.store.protocol import Event, Json, RunRecord, UnknownRun, Versions
from perdure.store.runs import claim_run, digest_of, get_run, request_cancel
from perdure.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from perdure.codec.functions import FunctionTable
    from perdure.language import Flow
    from perdure.local.run import LocalRun
    from perdure.runtime.engine import LogRecord

__all__ = ["Busy", "Engine", "Listener", "Start"]

_MOST_HANDLERS: Final = 100
"""Handlers around each other in one flow, at most, when it is dropped."""

POLL: Final = 0.05
"""Seconds between looks at what other processes wrote."""


class Busy(Exception):  # noqa: N818
    """Another live process drives the run."""

    def __init__(self, held: Held) -> None:
        super().__init__(f"run {held.run} is driven by process {held.pid} on {held.host}")
        self.held = held


class Start(NamedTuple):
    """A run to start: its flow, encoded input, and who wants it."""

    flow: "Flow[..., object]"
    arguments: Mapping[str, Json]
    versions: Versions
    id: str
    seed: str
    parent: str | None = None


class Listener:
    """Is told what happens while runs are driven; does nothing."""

    def entry(self, run: str, entry: Entry) -> None:
        """Take note of an entry that is durable now."""

    def logged(self, run: str, record: "LogRecord") -> None:
        """Show a log record of the flow."""

    def branch_ended(self, path: str) -> None:
        """Take note that a branch ended by itself; `path` is that in the run at the top."""


@final
class Engine:
    """Drives the runs of one process. `clock` gives seconds since 1970."""

    def __init__(
        self,
        store: SqliteStore,
        loop: EngineLoop,
        clock: Callable[[], float],
        *,
        bodies: Bodies | None = None,
        listener: Listener | None = None,
        jitter: Callable[[], float] = lambda: 1.0,
        functions: "FunctionTable | None" = None,
    ) -> None:
        self.store = store
        self.loop = loop
        self.now = clock
        self.bodies: Bodies = bodies or RealBodies(clock)
        self.listener = listener or Listener()
        self.jitter = jitter
        self.functions = functions
        """Names the nested functions of the modules that are loaded."""
        self.log = EventLog(store)
        self.leases = Leases(store, f"{os.getpid()}-{os.urandom(8).hex()}")
        self.runs: dict[str, LocalRun] = {}
        self.working = 0
        """Steps under way or waiting for their next attempt: what `--detach` stays for."""
        self.on_quiet: Callable[[], bool] = _stay_quiet
        """Asked when nothing but waits is left; says whether it made something ready."""
        self.on_written: Callable[[int], None] | None = None
        """For tests: told how many entries have become durable, before anybody else is."""
        self.on_misfit: Callable[[str], None] | None = None
        """For tests: told of a payload that does not fit the wait which took it."""
        self.failure: BaseException | None = None
        self._buffer: list[tuple[str, int, Entry]] = []
        self._actions: list[Callable[[], None]] = []
        self._written: list[asyncio.Future[None]] = []
        self._settling: list[tuple[int, int, asyncio.Future[None]]] = []
        self._timers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_due = float("inf")
        self._watchers: dict[str, list[asyncio.Future[None]]] = {}
        self._count = itertools.count()
        self._seen = store.changes()
        self._renewed = clock()
        self._poll: asyncio.TimerHandle | None = None
        loop.on_idle = self._idle

    # -- recording ------------------------------------------------------------------------------

    def record(self, run: str, sequence: int, entry: Entry) -> None:
        """Take an entry for the next write."""
        self._buffer.append((run, sequence, entry))

    def also(self, action: Callable[[], None]) -> None:
        """Do something to the store within the transaction of the next write."""
        self._actions.append(action)

    def written(self) -> asyncio.Future[None]:
        """Wait until all that was recorded so far is durable."""
        future = self.loop.create_future()
        self._written.append(future)
        return future

    def write(self) -> bool:
        """Commit what was recorded; whether there was anything to do."""
        if not self._buffer and not self._actions:
            return bool(self._release_written())
        entries, self._buffer = self._buffer, []
        actions, self._actions = self._actions, []
        sync = bool(actions) or any(
            entry.kind not in NO_SYNC or "due" in entry.fields for _, _, entry in entries
        )
        if actions:
            with self.store.transaction():
                self.log.write(entries, sync=True)
                for action in actions:
                    action()
        else:
            self.log.write(entries, sync=sync)
        for run, _, entry in entries:
            self.listener.entry(run, entry)
        if self.on_written is not None:
            self.on_written(len(entries))
        self._release_written()
        return True

    def _release_written(self) -> int:
        futures, self._written = self._written, []
        for future in futures:
            if not future.done():
                future.set_result(None)
        return len(futures)

    # -- the idle moment ------------------------------------------------------------------------

    def _idle(self) -> bool:
        if self.write() or self._release_settled():
            return True
        if self._deliver_cancellations():
            return True
        return self.working == 0 and self.loop.busy == 0 and self.on_quiet()

    def _release_settled(self) -> bool:
        """Let the deepest scopes decide first."""
        waiting = [item for item in self._settling if not item[2].done()]
        self._settling = waiting
        if not waiting:
            return False
        deepest = max(depth for depth, _, _ in waiting)
        self._settling = [item for item in waiting if item[0] != deepest]
        for depth, _, future in sorted(waiting, key=lambda item: item[1]):
            if depth == deepest:
                future.set_result(None)
        return True

    def _deliver_cancellations(self) -> bool:
        return any([run.deliver_cancellation() for run in tuple(self.runs.values())])  # noqa: C419  # all

    async def settle(self, depth: int) -> None:
        """Return at the next idle moment at which no deeper scope has anything to decide."""
        future = self.loop.create_future()
        self._settling.append((depth, next(self._count), future))
        await future

    # -- waiting --------------------------------------------------------------------------------

    async def until(self, due: float) -> None:
        """Wait until the engine's clock shows `due`; all that is due together goes on together."""
        while self.now() < due:
            future = self.loop.create_future()
            heapq.heappush(self._timers, (due, next(self._count), future))
            self._set_alarm()
            await future

    def next_due(self) -> float | None:
        """Return when the next timer is due."""
        while self._timers and self._timers[0][2].done():
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def _set_alarm(self) -> None:
        due = self.next_due()
        if due is None or (self._alarm is not None and self._alarm_due <= due):
            return
        if self._alarm is not None:
            self._alarm.cancel()
        # A long sleep is taken in pieces: the wall clock may be set meanwhile.
        wait = due - self.now() if self.loop.virtual else min(due - self.now(), 30.0)
        self._alarm_due = due
        self._alarm = self.loop.call_later(max(0.0, wait), self._ring)

    def _ring(self) -> None:
        self._alarm, self._alarm_due = None, float("inf")
        now = self.now()
        while self._timers and self._timers[0][0] <= now:
            future = heapq.heappop(self._timers)[2]
            if not future.done():
                future.set_result(None)
        self._set_alarm()

    async def changed(self, run: str, due: float | None = None) -> None:
        """Wait until something is written about a run, by whomever, or until `due`."""
        future = self.loop.create_future()
        self._watchers.setdefault(run, []).append(future)
        if due is not None:
            heapq.heappush(self._timers, (due, next(self._count), future))
            self._set_alarm()
        self._start_polling()
        await future

    def touch(self, run: str) -> None:
        """Wake whoever waits for a change of this run."""
        for future in self._watchers.pop(run, ()):
            if not future.done():
                future.set_result(None)

    def _start_polling(self) -> None:
        if not self.loop.virtual and self._poll is None:
            self._poll = self.loop.call_later(POLL, self._look)

    def _look(self) -> None:
        """See whether another process wrote, and say that this one lives."""
        self._poll = None
        changes = self.store.changes()
        if changes != self._seen:
            self._seen = changes
            for watched in [*self._watchers]:
                self.touch(watched)
            for run in tuple(self.runs.values()):
                run.look_for_cancellation()
        if self.now() - self._renewed > RENEW:
            self._renewed = self.now()
            self.leases.renew(self._renewed)
        if self.runs:
            self._start_polling()

    # -- runs -----------------------------------------------------------------------------------

    def claim(self, start: Start) -> RunRecord:
        """Claim the run id: a new run, or the one that has it; RunConflict if that is another."""
        record = RunRecord(
            run=start.id,
            flow=start.flow.__perdure_ref__,
            input_digest=digest_of(dict(start.arguments)),
            input=dict(start.arguments),
            versions=start.versions,
            seed=start.seed,
            started=self.now(),
            parent=start.parent,
        )
        with self.store.transaction():
            return claim_run(self.store, record)[0]

    def drive(self, record: RunRecord, flow: "Flow[..., object]", prefix: str = "") -> "LocalRun":
        """Drive a run from where its log ends; Busy if another live process does.

        `prefix`: where a child's operations lie in the trace of the run at the top.
        """
        from perdure.local.run import LocalRun

        driven = self.runs.get(record.run)
        if driven is not None:
            return driven
        if record.end is None:
            held = self.leases.take(record.run, self.now())
            if held is not None:
                raise Busy(held)
        run = LocalRun(self, record, flow, prefix)
        self.runs[record.run] = run
        self._start_polling()
        run.begin()
        return run

    def put_event(
        self, run: str, name: str, payload: Json, *, id: str, asks: bool = False
    ) -> Event:
        """Store an event and match it; whoever waits here for it goes on."""
        if get_run(self.store, run) is None:
            raise UnknownRun(f"no run has the id {run!r}")
        with self.store.transaction():
            event = put_event(self.store, run, name, payload, id=id, now=self.now(), asks=asks)
            match(self.store, run, name)
        self.touch(run)
        return event

    def cancel(self, run: str, *, at_once: bool = False) -> None:
        """Ask a run to cancel."""
        with self.store.transaction():
            request_cancel(self.store, run, at_once=at_once)
        self.touch(run)
        if run in self.runs:
            self.runs[run].look_for_cancellation()

    def stop(self, error: BaseException) -> None:
        """Stop driving: the error is what the caller of the loop gets."""
        if self.failure is None:
            self.failure = error
        self.loop.stop()

    def close(self) -> None:
        """Let go of everything in an orderly way: the runs can be resumed at once."""
        self.loop.on_idle = _stay_quiet
        for run in self.runs.values():
            run.release()
        if self.failure is None:
            self.write()
        self.abandon()

    def abandon(self) -> None:
        """Forget everything that is not written, as if the process had died."""
        self.loop.on_idle = _stay_quiet
        for run in self.runs.values():
            run.halted = True
        self.leases.give_up()
        _drop_tasks(self.loop)


def _drop_tasks(loop: EngineLoop) -> None:
    """Forget what still waits: on disk it goes on waiting.

    A coroutine that is dropped gets GeneratorExit, and `except BaseException` or `finally` of a
    flow would go on from there, in whatever context is current when it is collected. So each is
    closed now, in its own context, where the run is halted and any operation only waits.
    """
    for task in asyncio.all_tasks(loop):
        # A pending task that is destroyed is what we want; asyncio would write about it.
        setattr(task, "_log_destroy_pending", False)  # noqa: B010  # no public way
        task.get_context().run(_close, task.get_coro())
    loop.close()


def _close(work: object) -> None:
    close = getattr(work, "close", None)
    if close is None:
        return
    for _ in range(_MOST_HANDLERS):
        try:
            close()
        except RuntimeError:
            # A handler waits for an operation: the next GeneratorExit goes one further out.
            continue
        except Exception:
            return
        return


def _stay_quiet() -> bool:
    return False
