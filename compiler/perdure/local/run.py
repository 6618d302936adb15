"""One run of the local engine: the operations of `perdure.runtime.engine.Run`, on the event log.

A flow is run from its first line each time it is driven; what the log holds is returned, the rest
is done and recorded. Outcomes are durable before the flow sees them.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, final

from perdure.local.journal import Journal, OperationState
from perdure.local.log import Entry
from perdure.local.tracebacks import traceback_of
from perdure.runtime.engine import (
    CANCEL_RUN,
    Completed,
    EventWait,
    Failed,
    FlowCall,
    LogRecord,
    Message,
    Operation,
    Outcome,
    StepCall,
    Timer,
)
from perdure.store.match import close
from perdure.store.protocol import End, Json, RunRecord, Status
from perdure.store.runs import end_run, find_run

if TYPE_CHECKING:
    from perdure.codec.functions import FunctionTable
    from perdure.language import Flow
    from perdure.local.engine import Engine
    from perdure.local.tree import Tree

__all__ = ["Asked", "LocalRun"]


class Asked(NamedTuple):
    """The flow came to an operation: what it is now, whatever is recorded of it."""

    run: "LocalRun"
    op: Operation
    kind: str
    name: str
    arguments: Json


@final
class LocalRun:
    """One run that this process drives."""

    def __init__(
        self,
        engine: "Engine",
        record: RunRecord,
        flow: "Flow[..., object]",
        tree: "Tree",
        prefix: str = "",
    ) -> None:
        self.engine = engine
        self.record = record
        self.flow = flow
        self.tree = tree
        self.prefix = prefix
        self.overtaken = False
        """A child whose parent's operation lost a race or met a deadline: it is to be cancelled."""
        self.journal = Journal(record.run, () if record.end else engine.log.read(record.run))
        self.ended: asyncio.Future[End] = engine.loop.create_future()
        self.delivered = False
        """The cancellation reached the flow in this process."""
        self.halted = False
        """Stopped without cleanup, or let go: nothing is recorded any more."""
        self._main: asyncio.Task[Outcome] | None = None
        self._branches: set[str] = set()

    @property
    def id(self) -> str:
        """The run id."""
        return self.record.run

    @property
    def seed(self) -> str:
        """The seed of the run's randomness."""
        return self.record.seed

    @property
    def functions(self) -> "FunctionTable | None":
        """The nested functions of the flow's modules, by name."""
        return self.engine.functions

    # -- the life of the run --------------------------------------------------------------------

    def begin(self) -> None:
        """Run the flow's body, unless the run has ended before."""
        from perdure.runtime.bodies import run_flow

        if self.record.end is not None:
            self.ended.set_result(self.record.end)
            return
        arguments = self.record.input
        if not isinstance(arguments, Mapping):
            raise ValueError(f"broken store record: the input of {self.id} is no object")
        self._main = self.engine.loop.create_task(
            run_flow(self.flow, arguments, self, raised=self.raised)
        )
        self._main.add_done_callback(self._finish)
        if self.record.cancel == "now":
            self._end(End(Status.CANCELLED))

    def _finish(self, task: "asyncio.Task[Outcome]") -> None:
        if self.halted:
            if not task.cancelled():
                task.exception()
            return
        if task.cancelled():
            self._end(End(Status.CANCELLED))
            return
        error = task.exception()
        if error is not None:
            self.engine.fault(self, error)
            return
        match task.result():
            case Completed(value):
                self._end(End(Status.COMPLETED, value))
            case Failed(problem):
                self._end(End(Status.FAILED, error=problem))

    def raised(self, error: BaseException) -> None:
        """Note where the flow raised what it ends with."""
        trace = traceback_of(error)
        if trace:
            self.append("raised", traceback=trace)

    def _end(self, end: End) -> None:
        """Record the end together with all that led to it."""
        if self._branches:
            self.append("branches", paths=[*sorted(self._branches)])
        self.halted = True

        def write() -> None:
            self.record = end_run(self.engine.store, self.id, end, self.engine.now())
            if self.record.parent is None:
                self.engine.wakes.remove(self.id)

        self.engine.also(write)
        self.engine.written().add_done_callback(lambda _: self._has_ended())

    def _has_ended(self) -> None:
        if self.ended.done() or self.record.end is None:
            return
        if self._main is not None and not self._main.done():
            self._main.cancel()
        self.ended.set_result(self.record.end)
        if self.record.parent is None:
            with self.engine.store.without_sync():
                self.engine.leases.give_up(self.id)
        self.engine.touch(self.id)
        self.engine.forget(self)
        self.engine.listener.run_ended(self.record)

    def release(self) -> None:
        """Let go: attempts under way do not count as lost."""
        for state in self.journal.operations.values():
            if state.under_way and state.outcome is None and not self.halted:
                self.append("released", path=state.path)
        self.halted = True

    def look_for_cancellation(self) -> None:
        """See whether somebody asked to cancel the run."""
        if self.halted:
            return
        self.record = find_run(self.engine.store, self.id)
        if self.record.cancel == "now":
            self._end(End(Status.CANCELLED))

    @property
    def redelivering(self) -> bool:
        """The cancellation reached the flow before, in a process that is gone."""
        return self.journal.cancelled and not self.delivered

    @property
    def cancel_is_due(self) -> bool:
        """The cancellation was asked for, and the flow has yet to see it."""
        wanted = self.journal.cancelled or self.record.cancel is not None or self.overtaken
        is_over = self.halted or self._main is None or self._main.done()
        return wanted and not self.delivered and not is_over

    def deliver_cancellation(self) -> bool:
        """Raise CancelledError where the flow waits, if that was asked for and is not done."""
        if not self.cancel_is_due or self._main is None:
            return False
        if not self.journal.cancelled:
            self.append("cancel", overtaken=self.overtaken)
        self.delivered = True
        self._main.cancel(None if self.journal.overtaken else CANCEL_RUN)
        return True

    # -- recording ------------------------------------------------------------------------------

    def append(self, kind: str, **fields: Json) -> None:
        """Record something that happened now."""
        if self.halted:
            return
        entry = Entry(kind, self.engine.now(), fields)
        self.journal.apply(entry)
        self.engine.record(self, entry)

    def open(
        self, op: Operation, kind: str, name: str, arguments: Json = None, **fields: Json
    ) -> OperationState:
        """Return the state of an operation, recorded as begun."""
        state = self.journal.operations.get(op.path)
        if state is None:
            self.append(
                "begin",
                path=op.path,
                scope=op.scope.path,
                operation=kind,
                name=name,
                arguments=arguments,
                site=list(op.site),
                **fields,
            )
            state = self.journal.operations.get(op.path)
            if state is None:
                # The run has ended meanwhile: what still moves in it is of no account.
                state = OperationState(op.path, kind, name, op.scope.path, self.engine.now())
        return state

    async def ended_before(
        self, op: Operation, kind: str, name: str, arguments: Json = None
    ) -> Outcome | None:
        """Return what is recorded of an operation; an interrupted one waits for that again."""
        state = self.journal.operations.get(op.path)
        asked = Asked(self, op, kind, name, arguments)
        if self.engine.on_asked is not None and not self.engine.on_asked(asked):
            await self.engine.loop.create_future()
        if self.halted or (self.redelivering and (state is None or state.outcome is None)):
            await self.engine.loop.create_future()
        if state is None:
            return None
        if state.interrupted:
            await self.engine.loop.create_future()
        return state.outcome

    async def end(
        self, op: Operation, outcome: Outcome, *, wait: bool = True, **fields: Json
    ) -> Outcome:
        """Record the outcome of an operation; return when it is durable, or at once (`wait`).

        At once is enough where nothing of the world changes before the next write: whatever
        reaches out of the run writes first.
        """
        match outcome:
            case Completed(value):
                self.append("end", path=op.path, value=value, **fields)
            case Failed(error):
                self.append("end", path=op.path, error=error, **fields)
        if wait:
            await self.engine.written()
        return outcome

    def interrupt(self, op: Operation) -> None:
        """Record that an operation was cancelled, unless it is known already."""
        state = self.journal.operations.get(op.path)
        if state is not None and not state.interrupted:
            self.append("interrupt", path=op.path)

    # -- operations -----------------------------------------------------------------------------

    async def _guarded[R](self, work: Coroutine[object, object, R]) -> R:
        """Await an operation that uses the store; what goes wrong there is not the flow's."""
        from perdure.local.engine import STORE_FAULTS

        try:
            return await work
        except STORE_FAULTS as error:
            self.engine.stop(error)
        result: R = await self.engine.loop.create_future()
        return result

    async def step(self, call: StepCall) -> Outcome:
        """Run the step by its policy."""
        from perdure.local.steps import run_step

        return await run_step(self, call)

    async def child(self, call: FlowCall) -> Outcome:
        """Run a flow as a child."""
        from perdure.local.children import run_child

        return await self._guarded(run_child(self, call))

    async def start(self, call: FlowCall) -> str:
        """Start a run that nobody waits for."""
        from perdure.local.children import start_other

        return await self._guarded(start_other(self, call))

    async def event(self, wait: EventWait) -> Outcome:
        """Take the oldest unclaimed event."""
        from perdure.local.waits import take_event

        return await self._guarded(take_event(self, wait))

    async def sleep(self, timer: Timer) -> None:
        """Wait until the timer is due."""
        from perdure.local.waits import sleep

        await sleep(self, timer)

    async def send(self, message: Message) -> None:
        """Store an event for another run."""
        from perdure.local.messages import send

        await self._guarded(send(self, message))

    async def ask(self, message: Message) -> Outcome:
        """Store an event for another run and wait for its reply."""
        from perdure.local.messages import ask

        return await self._guarded(ask(self, message))

    async def cancel(self, op: Operation, run: str) -> None:
        """Ask another run to cancel."""
        from perdure.local.messages import cancel

        await self._guarded(cancel(self, op, run))

    async def reply(self, message: Message) -> None:
        """Answer the oldest unanswered event of this name."""
        from perdure.local.messages import reply

        await self._guarded(reply(self, message))

    async def progress(self, message: Message) -> None:
        """Publish what the run is at."""
        if message.op.path not in self.journal.progress:
            self.append("progress", path=message.op.path, value=message.payload)

    # -- reads and decisions --------------------------------------------------------------------

    def now(self, scope: str, ordinal: int) -> float:
        """Engine time; the same again when this read is repeated, and it never goes back."""
        known = self.journal.clocks.get((scope, ordinal))
        if known is None:
            known = max(self.engine.now(), self.journal.latest)
            self.append("clock", scope=scope, ordinal=ordinal, value=known)
        return known

    def log(self, record: LogRecord) -> None:
        """Take a log record once."""
        if self.halted or (record.scope, record.ordinal) in self.journal.logs:
            return
        self.append("log", **record._asdict())
        self.engine.listener.logged(self.id, record)

    async def settle(self, depth: int) -> None:
        """Let all happen that is due at this instant, deeper scopes (and children) first."""
        await self.engine.settle(depth + 1000 * self.id.count("/"))

    def decided(self, path: str) -> Json:
        """Return what was recorded under `decide`."""
        return self.journal.decisions.get(path)

    def decide(self, path: str, kind: str, compute: Callable[[], Json]) -> Json:
        """Return the recorded decision of a fork, else record what `compute` says."""
        if path not in self.journal.decisions:
            value = compute()
            if self.halted:
                return value
            self.append("decision", path=path, operation=kind, value=value)
        return self.journal.decisions[path]

    def branch_ended(self, path: str) -> None:
        """Tell that a branch ended by itself; a life that ends the run has seen them all."""
        if not self.halted:
            self._branches.add(path)
            self.engine.listener.branch_ended(self.prefix + path)

    def recorded(self, path: str) -> bool:
        """Say whether this operation has any record yet."""
        return path in self.journal.operations

    def give_back(self, paths: Sequence[str]) -> None:
        """Give the events back that were taken at these paths."""
        known = self.journal.operations
        taken = [path for path in paths if path in known and known[path].event is not None]
        fresh = [path for path in taken if not known[path].returned]
        if fresh and not self.halted:
            self.append("returned", paths=list(fresh))
            for path in fresh:
                self.close_wait(path)

    def close_wait(self, path: str) -> None:
        """End a wait in the store; the event it may have taken goes to whoever waits next."""

        def write() -> None:
            close(self.engine.store, self.id, path)

        if not self.halted:
            self.engine.also(write)
            self.engine.written().add_done_callback(lambda _: self.engine.touch(self.id))
