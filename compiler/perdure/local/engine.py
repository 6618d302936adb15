"""The local engine: drives runs in one event loop, on one store file.

Everything that is recorded goes through one buffer (`perdure.local.recorder`), which is committed
when the loop is idle. The rest of the idle moment lets forks decide (`settle`), deeper scopes
first, and hands out cancellations. A run that only waits can be parked: it is forgotten here, and
its row in `wakes` says when it is due again.
"""

import asyncio
import itertools
import os
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple, final

from perdure.local.bodies import Bodies, RealBodies
from perdure.local.lease import RENEW, Held, Leases
from perdure.local.log import Entry, EventLog, LostLease
from perdure.local.loop import EngineLoop
from perdure.local.recorder import Recorder
from perdure.local.timers import Timers
from perdure.local.tree import Tree, drop_tasks
from perdure.local.wakes import Wakes
from perdure.local.writes import ask_to_cancel, claim, deliver
from perdure.store.protocol import Event, Json, RunRecord, Versions
from perdure.store.runs import digest_of
from perdure.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from perdure.codec.functions import FunctionTable
    from perdure.language import Flow
    from perdure.local.run import Asked, LocalRun
    from perdure.runtime.engine import LogRecord

__all__ = ["POLL", "STORE_FAULTS", "Busy", "Engine", "Listener", "Start"]

POLL: Final = 0.05
"""Seconds between looks at what other processes wrote."""

STORE_FAULTS: Final = (sqlite3.Error, LostLease)
"""What ends an engine, and no flow may see: its store cannot be written, or is another's."""


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

    def run_ended(self, record: RunRecord) -> None:
        """Take note of the end of a run."""

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
        self.wakes = Wakes(store)
        self.recorder = Recorder(store, self.log, loop, self._tell)
        self.timers = Timers(loop, clock)
        self.runs: dict[str, LocalRun] = {}
        self.trees: dict[str, Tree] = {}
        """The runs at the top that are driven, the one that moved last at the end."""
        self._no_hooks()
        self.failure: BaseException | None = None
        self._rests = False
        self.draining = False
        """No attempt begins any more: this process is about to let go."""
        self.polls = False
        """Look for what others write even while nothing is driven here."""
        self.saw_changes = False
        """Whether the last look found that somebody else had written."""
        self._settling: list[tuple[int, int, asyncio.Future[None]]] = []
        self._watchers: dict[str, list[tuple[str, asyncio.Future[None]]]] = {}
        """By the run that is watched: for which run, and what to wake."""
        self._count = itertools.count()
        self._seen, self._renewed = store.changes(), clock()
        self._poll: asyncio.TimerHandle | None = None
        self._wire()

    def _wire(self) -> None:
        self.loop.on_idle = self._idle
        self.loop.on_busy = self.recorder.write
        self.loop.set_exception_handler(self._on_exception)

    def _no_hooks(self) -> None:
        """What whoever has this engine may set."""
        self.on_quiet: Callable[[], bool] = _stay_quiet
        """Asked when nothing but waits is left; says whether it made something ready."""
        self.on_pause: Callable[[], None] = _nothing
        """Called when all that can be done has been done: quiet trees may be parked."""
        self.on_look: Callable[[], None] = _nothing
        """Called now and then, while other processes may have written."""
        self.on_fault: Callable[[LocalRun, BaseException], None] | None = None
        """Told of a fault in one run; without it, a fault stops the engine."""
        self.on_asked: Callable[[Asked], bool] | None = None
        """Told of each operation that a flow comes to; whether it may go on there."""
        self.on_misfit: Callable[[str], None] | None = None
        """For tests: told of a payload that does not fit the wait which took it."""

    # -- recording ------------------------------------------------------------------------------

    def record(self, run: "LocalRun", entry: Entry) -> None:
        """Take the newest entry of a run for the next write."""
        self.recorder.record(run.id, run.journal.length, entry)
        tree = self.trees.pop(run.tree.root, None)
        if tree is not None:
            self.trees[tree.root] = tree

    def also(self, action: Callable[[], None]) -> None:
        """Do something to the store within the transaction of the next write."""
        self.recorder.also(action)

    def written(self) -> asyncio.Future[None]:
        """Wait until all that was recorded so far is durable."""
        return self.recorder.written()

    def commit[R](self, action: Callable[[], R]) -> R:
        """Do something to the store now, together with all that was recorded so far."""
        return self.recorder.commit(action)

    def _tell(self, run: str, entry: Entry) -> None:
        self.listener.entry(run, entry)

    @property
    def working(self) -> int:
        """Steps under way or waiting for their next attempt: what `--detach` stays for."""
        return sum(tree.working for tree in self.trees.values())

    # -- the idle moment ------------------------------------------------------------------------

    def _idle(self) -> bool:
        if self.recorder.write() or self._release_settled():
            return True
        if self._deliver_cancellations():
            return True
        self.on_pause()
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

    async def until(self, due: float, run: str) -> None:
        """Wait, for a run, until the engine's clock shows `due`."""
        await self.timers.until(due, run)

    def has_come(self, due: float) -> bool:
        """Whether a moment has come, and all that came from outside by then is seen to."""
        return not self.loop.is_digesting and self.now() >= due

    async def changed(self, other: str, run: str, due: float | None = None) -> None:
        """Wait, for `run`, until somebody writes something about `other`, or until `due`."""
        future = self.loop.create_future()
        self._watchers.setdefault(other, []).append((run, future))
        if due is not None:
            self.timers.set(due, run, future)
        self.start_polling()
        await future

    def touch(self, run: str) -> None:
        """Wake whoever waits for a change of this run."""
        for _, future in self._watchers.pop(run, ()):
            if not future.done():
                future.set_result(None)

    def start_polling(self) -> None:
        """Look now and then for what others write."""
        if not self.loop.virtual and self._poll is None:
            self._poll = self.loop.call_later(POLL, self._look)

    def _look(self) -> None:
        """See whether another process wrote, and say that this one lives."""
        self._poll = None
        changes = self.store.changes()
        self.saw_changes = changes != self._seen
        if self.saw_changes:
            self._seen = changes
            self.see_rung()
            # Of runs that others drive nothing says what was written about them.
            for watched in [name for name in self._watchers if name not in self.runs]:
                self.touch(watched)
        if self.now() - self._renewed > RENEW:
            self._renewed = self.now()
            self.leases.renew(self._renewed)
        self.on_look()
        if self.runs or self.polls:
            self.start_polling()

    def see_rung(self) -> None:
        """Look at the runs here that somebody else wrote something about."""
        rung = [self.trees[name] for name in self.wakes.rung() if name in self.trees]
        if not rung:
            return
        with self.store.without_sync(), self.store.transaction():
            self.wakes.hold(tree.root for tree in rung)
        for tree in rung:
            for run in tuple(tree.runs.values()):
                self.touch(run.id)
                run.look_for_cancellation()

    # -- runs -----------------------------------------------------------------------------------

    def claim(self, start: Start, *, hold: bool = False) -> RunRecord:
        """Claim the run id: a new run, or the one that has it; RunConflict if that is another.

        `hold`: with the lease of a new run, which is to be driven here.
        """
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

        def write() -> RunRecord:
            claimed = claim(self.store, record)
            if hold and claimed.seed == record.seed:
                self.leases.hold(claimed.run, record.started)
            return claimed

        return self.commit(write)

    def drive(self, record: RunRecord, flow: "Flow[..., object]") -> "LocalRun":
        """Drive a run at the top from where its log ends; Busy if another live process does."""
        if record.end is None and record.run not in self.runs:
            held = self.leases.take(record.run, self.now())
            if held is not None:
                raise Busy(held)
        return self.drive_held(record, flow, Tree(record.run))

    def drive_held(
        self, record: RunRecord, flow: "Flow[..., object]", tree: Tree, prefix: str = ""
    ) -> "LocalRun":
        """Drive a run whose lease this engine has, or a child of such a run.

        `prefix`: where a child's operations lie in the trace of the run at the top.
        """
        from perdure.local.run import LocalRun

        driven = self.runs.get(record.run)
        if driven is not None:
            return driven
        run = LocalRun(self, record, flow, tree, prefix)
        if record.end is None:
            self.runs[record.run] = tree.runs[record.run] = run
            self.trees.setdefault(tree.root, tree)
            self.start_polling()
        run.begin()
        return run

    def forget(self, run: "LocalRun") -> None:
        """A run has ended: nothing of it is kept here."""
        self.runs.pop(run.id, None)
        run.tree.runs.pop(run.id, None)
        if run.id == run.tree.root:
            self.trees.pop(run.id, None)

    def put_event(
        self, run: str, name: str, payload: Json, *, id: str, asks: bool = False
    ) -> Event:
        """Store an event and match it; whoever waits here for it goes on."""
        now = self.now()
        event = self.commit(
            lambda: deliver(self.store, run, name, payload, id=id, now=now, asks=asks)
        )
        self.touch(run)
        return event

    def cancel(self, run: str, *, at_once: bool = False) -> None:
        """Ask a run to cancel."""
        self.commit(lambda: ask_to_cancel(self.store, run, at_once=at_once))
        self.touch(run)
        if run in self.runs:
            self.runs[run].look_for_cancellation()

    # -- the end --------------------------------------------------------------------------------

    def stop(self, error: BaseException) -> None:
        """Stop driving: the error is what the caller of the loop gets."""
        if self.failure is None:
            self.failure = error
        self.loop.stop()

    def fault(self, run: "LocalRun", error: BaseException) -> None:
        """Something went wrong in one run that is no error of its flow or steps."""
        if self.on_fault is None or isinstance(error, STORE_FAULTS):
            self.stop(error)
        else:
            self.on_fault(run, error)

    def _on_exception(self, loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        error = context.get("exception")
        if isinstance(error, STORE_FAULTS):
            self.stop(error)
        else:
            loop.default_exception_handler(context)

    def park(self, trees: Iterable[Tree]) -> None:
        """Let quiet trees go, unless something has rung for them; to be called when idle."""
        chosen = [tree for tree in trees if tree.is_quiet]
        if not chosen:
            return

        def write() -> list[Tree]:
            parked = [tree for tree in chosen if not self.wakes.is_rung(tree.root)]
            for tree in parked:
                self.wakes.wait(tree.root, self.timers.next_due(tree.names))
                self.leases.give_up(tree.root)
            return parked

        with self.store.without_sync():
            parked = self.commit(write)
        for tree in parked:
            self._drop(tree)

    def let_go(self, tree: Tree, at: float | None) -> None:
        """Let a tree go in the midst of its work; it is due again at this time, if any."""
        for run in tree.runs.values():
            run.release()

        def write() -> None:
            self.wakes.wait(tree.root, at)
            self.leases.give_up(tree.root)

        self.commit(write)
        self._drop(tree)

    def _drop(self, tree: Tree) -> None:
        for run in tree.runs.values():
            run.halted = True
        drop_tasks(self.loop, tree)
        self.timers.forget(tree.names)
        for name in tree.names:
            self.runs.pop(name, None)
        for watched, watchers in [*self._watchers.items()]:
            self._watchers[watched] = [each for each in watchers if each[0] not in tree.runs]
        self.trees.pop(tree.root, None)

    def rest(self) -> None:
        """Let all come to rest that needs no step and nobody else: then it is known what waits."""
        if self.failure is not None or self.loop.is_closed():
            return
        self.draining = True
        self.loop.on_idle = self._stop_at_rest
        self.loop.run_forever()
        self._rests = self.failure is None

    def _stop_at_rest(self) -> bool:
        moved = self.recorder.write() or self._release_settled() or self._deliver_cancellations()
        if not moved:
            self.loop.stop()
        return True

    def close(self) -> None:
        """Let go of everything in an orderly way: the runs can be resumed at once."""
        self.loop.on_idle = self.loop.on_busy = _stay_quiet
        for run in self.runs.values():
            run.release()
        if self.failure is None:

            def write() -> None:
                for tree in self.trees.values():
                    waits = self._rests and tree.is_quiet
                    due = self.timers.next_due(tree.names) if waits else self.now()
                    if not self.wakes.is_rung(tree.root):
                        self.wakes.wait(tree.root, due)

            try:
                self.commit(write)
            finally:
                # Also when the disk is full: no task may outlive its loop.
                self.abandon()
        else:
            self.abandon()

    def abandon(self) -> None:
        """Forget everything that is not written, as if the process had died."""
        self.loop.on_idle = self.loop.on_busy = _stay_quiet
        for run in self.runs.values():
            run.halted = True
        try:
            self.leases.give_up()
        except sqlite3.Error as error:
            # The process ends, and its leases with it.
            self.failure = self.failure or error
        drop_tasks(self.loop)
        self.loop.close()


def _stay_quiet() -> bool:
    return False


def _nothing() -> None:
    return None
