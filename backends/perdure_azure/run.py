"""One run in an orchestration: `perdure.runtime.engine.Run` on durable tasks.

Nothing is recorded here: the engine keeps the history, and when it replays that, every operation
comes to the same end again. A child flow runs in the orchestration of its parent, as a run of its
own.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, final

from perdure.codec import decode_error
from perdure.codec.text import Json
from perdure.durations import due
from perdure.errors import StepLost
from perdure.runtime.bodies import run_flow
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
from perdure.runtime.reads import child_seed
from perdure.runtime.retries import LOST_IN_A_ROW, delay_before_next
from perdure.runtime.usage import Usage, added
from perdure.runtime.values import failed
from perdure.trace import End, TraceEntry, error_json, outcome_json, sleep_arguments
from perdure_azure.activity import AttemptCall, attempted_outcome, call_of
from perdure_azure.durable import LostError
from perdure_azure.inbox import Inbox
from perdure_azure.names import activity_name

if TYPE_CHECKING:
    from perdure.codec.functions import FunctionTable
    from perdure.language import Flow
    from perdure_azure.orchestration import Episode

__all__ = ["OrchestrationRun"]


class _Begun(NamedTuple):
    """An operation that has started and has no trace entry yet."""

    op: Operation
    kind: str
    name: str
    arguments: dict[str, Json]


@final
class OrchestrationRun:
    """A run: `execute` it once. A child writes into its parent's trace, below `prefix`."""

    def __init__(self, episode: "Episode", run_id: str, seed: str, prefix: str = "") -> None:
        self._episode = episode
        self._id = run_id
        self._seed = seed
        self._prefix = prefix
        self._inbox = Inbox(self._listen, episode.misfit)
        self._places: dict[str, int] = {}
        self._attempts: dict[str, int] = {}
        self._usage: dict[str, tuple[Usage, ...]] = {}
        self._cancelling = False
        self._task: asyncio.Task[None] | None = None
        self.end: End | None = None
        self.outcome: Outcome | None = None
        self.finished: asyncio.Future[None] = episode.loop.create_future()

    @property
    def id(self) -> str:
        """The run id: that of the orchestration."""
        return self._id

    @property
    def seed(self) -> str:
        """The seed of this run's randomness."""
        return self._seed

    @property
    def functions(self) -> "FunctionTable | None":
        """Names nested functions of the flow's files."""
        return self._episode.functions

    def execute(self, flow: "Flow[..., Any]", arguments: dict[str, Json]) -> None:
        """Start the flow's body."""
        self._task = self._episode.loop.create_task(self._execute(flow, arguments))

    def stop(self) -> None:
        """Cancel the run: CancelledError where it waits, steps under way end first."""
        if self._task is not None and not self._task.done() and not self._episode.abandoned:
            self._cancelling = True
            self._task.cancel(CANCEL_RUN)

    async def _execute(self, flow: "Flow[..., Any]", arguments: dict[str, Json]) -> None:
        try:
            self.outcome = outcome = await run_flow(flow, arguments, self)
        except asyncio.CancelledError:
            self.outcome, self.end = failed(asyncio.CancelledError()), End("cancelled")
        else:
            if isinstance(outcome, Completed):
                self.end = End("done", outcome.value)
            else:
                self.end = End("failed", None, error_json(outcome))
        if not self.finished.done():
            self.finished.set_result(None)

    # Primitives of `Run`.

    async def step(self, call: StepCall) -> Outcome:
        """Attempts by the step's policy. An attempt under way at a cancel of the run ends first."""
        await self._alive()
        begun = _Begun(call.op, "step", call.name, dict(call.arguments))
        work = self._episode.loop.create_task(self._attempts_of(call))
        try:
            outcome = await asyncio.shield(work)
        except asyncio.CancelledError as error:
            ended = await self._ended_first(work) if CANCEL_RUN in error.args else None
            work.cancel()
            self._end(begun, ended)
            raise
        self._end(begun, outcome)
        return outcome

    async def child(self, call: FlowCall) -> Outcome:
        """A child run per attempt of the flow's retry policy."""
        await self._alive()
        begun = _Begun(call.op, "flow", call.name, dict(call.arguments))
        number = 1
        while True:
            name = call.op.path if number == 1 else f"{call.op.path}~{number}"
            prefix = f"{self._prefix}{name}/"
            seed = child_seed(self._seed, name)
            run = OrchestrationRun(self._episode, f"{self._id}/{name}", seed, prefix)
            run.execute(call.flow, dict(call.arguments))
            try:
                outcome = await self._child_ended(run)
                delay = self._child_delay(call, outcome, number)
                if delay is None:
                    self._end(begun, outcome)
                    return outcome
                await self._pause(delay)
            except asyncio.CancelledError:
                self._end(begun, None)
                raise
            number += 1
            self._attempts[call.op.path] = number

    async def start(self, call: FlowCall) -> str:
        """Refused by the compiler."""
        self._not_yet("start")

    async def event(self, wait: EventWait) -> Outcome:
        """Take the oldest event; one that is stored by the deadline wins."""
        await self._alive()
        begun = _Begun(wait.op, "event", wait.name, {})
        waiter = self._inbox.wait(wait)
        timer = self._deadline(waiter, wait)
        try:
            taken = await waiter
        except asyncio.CancelledError:
            self._inbox.give_back([wait.op.path])
            self._end(begun, None)
            raise
        finally:
            self._inbox.leave(waiter)
            if timer is not None:
                timer.cancel()
        outcome = failed(TimeoutError()) if taken is None else taken
        self._end(begun, outcome)
        return outcome

    async def sleep(self, timer: Timer) -> None:
        """Until the timer is due; a "timeout" leaves no trace."""
        await self._alive()
        begun = _Begun(timer.op, timer.kind, timer.kind, sleep_arguments(timer))
        now = self._episode.durable.now
        when = due(now, timer.seconds if timer.until is None else timer.until - now)
        try:
            await self._episode.durable.until(when)
        except asyncio.CancelledError:
            self._end(begun, None)
            raise
        self._end(begun, Completed(None))

    async def send(self, message: Message) -> None:
        """Refused by the compiler."""
        self._not_yet("send")

    async def ask(self, message: Message) -> Outcome:
        """Refused by the compiler."""
        self._not_yet("ask")

    async def cancel(self, op: Operation, run: str) -> None:
        """Refused by the compiler."""
        self._not_yet("cancel")

    async def reply(self, message: Message) -> None:
        """Refused by the compiler."""
        self._not_yet("reply")

    async def progress(self, message: Message) -> None:
        """The custom status of the orchestration."""
        await self._alive()
        self._episode.show_progress(message.payload)

    def now(self, scope: str, ordinal: int) -> float:
        """Engine time."""
        return self._episode.durable.now

    def log(self, record: LogRecord) -> None:
        """Shown once, when it is not replayed."""
        if not self._episode.abandoned:
            self._episode.log(record)

    async def settle(self, depth: int) -> None:
        """Until all has come that is due at this instant; children lie deeper than parents."""
        await self._alive()
        await self._episode.durable.settle(depth + 1000 * self._id.count("/"))

    def decided(self, path: str) -> Json:
        """Nothing: a replay decides the same again."""
        return None

    def decide(self, path: str, kind: str, compute: Callable[[], Json]) -> Json:
        """What is so now."""
        return compute()

    def branch_ended(self, path: str) -> None:
        """Kept for the trace."""
        if not self._episode.abandoned:
            self._episode.ended.add(self._prefix + path)

    def recorded(self, path: str) -> bool:
        """Never: the engine keeps the records."""
        return False

    def give_back(self, paths: Sequence[str]) -> None:
        """To the front of the inbox; in the trace these waits lost."""
        if self._episode.abandoned:
            return
        self._inbox.give_back(paths)
        for path in paths:
            place = self._places[path]
            entries = self._episode.entries
            entries[place] = entries[place]._replace(outcome=outcome_json(None))

    # Steps.

    async def _attempts_of(self, call: StepCall) -> Outcome:
        number = 1
        while True:
            self._attempts[call.op.path] = number
            outcome, again = await self._attempt(call, number)
            if not again or self._cancelling or not isinstance(outcome, Failed):
                return outcome
            error = decode_error(outcome.error)
            delay = delay_before_next(call.step.retry, error, number, self._jitter(call, number))
            if delay is None:
                return outcome
            await self._pause(delay)
            if self._cancelling:
                return outcome
            number += 1

    async def _attempt(self, call: StepCall, number: int) -> tuple[Outcome, bool]:
        """One attempt that counts: those that were lost are made again."""
        path = call.op.path
        identity = AttemptCall(
            self._id, f"{self._id}/{path}", self._prefix + path, number, call.step.timeout
        )
        for _ in range(LOST_IN_A_ROW):
            request = call_of(identity, call.arguments)
            done = self._episode.durable.activity(activity_name(call.step), request)
            try:
                outcome, again, usage = attempted_outcome(await done)
            except LostError:
                continue
            except asyncio.CancelledError:
                self._episode.durable.forget(done)
                raise
            self._usage[path] = added((*self._usage.get(path, ()), *usage))
            return outcome, again
        lost = f"{call.name}: {LOST_IN_A_ROW} attempts vanished in a row"
        return failed(StepLost(lost)), False

    def _jitter(self, call: StepCall, number: int) -> float:
        """The same draw at each replay; none in tests."""
        if self._episode.watched:
            return 1.0
        return random.Random(f"{self._seed}/{call.op.path}~{number}").random()

    async def _ended_first(self, work: "asyncio.Task[Outcome]") -> Outcome | None:
        """At a cancel of the run: the attempt under way ends; what follows it does not start."""
        while not work.done():
            if self._episode.abandoned:
                return None
            try:
                await asyncio.wait([work])
            except asyncio.CancelledError:
                continue
        return work.result()

    async def _child_ended(self, run: "OrchestrationRun") -> Outcome:
        try:
            await asyncio.shield(run.finished)
        except asyncio.CancelledError as error:
            run.pass_on(error)
            while not run.finished.done() and not self._episode.abandoned:
                try:
                    await asyncio.wait([run.finished])
                except asyncio.CancelledError as again:
                    run.pass_on(again)
            raise
        return run.outcome or failed(asyncio.CancelledError())

    def pass_on(self, error: asyncio.CancelledError) -> None:
        """The parent was cancelled like this."""
        if self._task is not None:
            self._task.cancel(*error.args)

    def _child_delay(self, call: FlowCall, outcome: Outcome, number: int) -> float | None:
        if isinstance(outcome, Completed):
            return None
        return delay_before_next(call.flow.retry, decode_error(outcome.error), number)

    # Waits.

    def _listen(self, name: str) -> None:
        """Keep one wait open with the engine, from the first wait for the name on."""
        self._episode.durable.event(name).add_done_callback(lambda done: self._came(name, done))

    def _came(self, name: str, done: "asyncio.Future[Any]") -> None:
        if self._episode.abandoned or done.cancelled():
            return
        self._listen(name)
        self._inbox.store(name, done.result())

    def _deadline(
        self, waiter: "asyncio.Future[Outcome | None]", wait: EventWait
    ) -> "asyncio.Task[None] | None":
        if wait.timeout is None:
            return None
        when = due(self._episode.durable.now, wait.timeout)

        async def expire() -> None:
            await self._episode.durable.until(when)
            await self.settle(wait.op.scope.depth + 1)
            if not waiter.done():
                waiter.set_result(None)

        return self._episode.loop.create_task(expire())

    async def _pause(self, seconds: float) -> None:
        durable = self._episode.durable
        await durable.until(due(durable.now, seconds))

    async def _alive(self) -> None:
        """Nothing starts in an episode that is over."""
        if self._episode.abandoned:
            self._episode.refused()
            raise asyncio.CancelledError

    # Records.

    def _end(self, begun: _Begun, outcome: Outcome | None) -> None:
        if self._episode.abandoned or begun.kind == "timeout":
            return
        entry = TraceEntry(
            self._prefix + begun.op.path,
            begun.kind,
            begun.name,
            begun.arguments,
            self._attempts.get(begun.op.path, 1),
            outcome_json(outcome),
            begun.op.site,
            self._episode.durable.now,
            self._usage.get(begun.op.path, ()),
        )
        self._places[begun.op.path] = len(self._episode.entries)
        self._episode.entries.append(entry)

    def _not_yet(self, what: str) -> NoReturn:
        raise NotImplementedError(f"azure: {what}() of a flow is not there yet")
