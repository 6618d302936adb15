"""One run in the reference: `perdure.runtime.engine.Run` in virtual time, kept in memory."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, final

from perdure.codec import decode_slots
from perdure.codec.text import Json
from perdure.durations import due
from perdure.errors import InvalidInput, Unanswered
from perdure.operations import ThisStep
from perdure.reference.inbox import Inbox, Ticket
from perdure.runtime.bodies import Attempted, raised, run_flow, timed_attempt
from perdure.runtime.engine import (
    CANCEL_RUN,
    Completed,
    EventWait,
    FlowCall,
    LogRecord,
    Message,
    Operation,
    Outcome,
    StepCall,
    Timer,
)
from perdure.runtime.reads import child_seed
from perdure.runtime.retries import delay_before_next
from perdure.runtime.usage import Usage, added
from perdure.runtime.values import failed
from perdure.testing.answers import answered
from perdure.testing.scripts import Attempt, RunsBody, ScriptError
from perdure.trace import End, TraceEntry, error_json, outcome_json, sleep_arguments

if TYPE_CHECKING:
    from perdure.codec.functions import FunctionTable
    from perdure.language import Flow
    from perdure.reference.world import World

__all__ = ["ReferenceRun"]


class _Begun(NamedTuple):
    """An operation that has started and has no trace entry yet."""

    op: Operation
    kind: str
    name: str
    arguments: dict[str, Json]


@final
class ReferenceRun:
    """A run: `execute` it once. A child writes into its parent's trace, below `prefix`."""

    def __init__(
        self,
        world: "World",
        run_id: str,
        seed: str,
        *,
        functions: "FunctionTable | None" = None,
        parent: "ReferenceRun | None" = None,
        prefix: str = "",
    ) -> None:
        self._world = world
        self._id = run_id
        self._seed = seed
        self._functions = functions
        self._prefix = prefix
        self.entries: list[TraceEntry] = parent.entries if parent is not None else []
        self.ended: set[str] = parent.ended if parent is not None else set()
        """Branches that ended by themselves, also those of children."""
        self.inbox = Inbox(run_id)
        self.end: End | None = None
        self.outcome: Outcome | None = None
        self.progress_value: Json = None
        self._places: dict[str, int] = {}
        self._attempts: dict[str, int] = {}
        self._usage: dict[str, tuple[Usage, ...]] = {}
        self._cancelling = False
        self._task: asyncio.Task[None] | None = None
        self.finished: asyncio.Future[None] = world.loop.create_future()
        world.runs[run_id] = self

    @property
    def id(self) -> str:
        """The run id."""
        return self._id

    @property
    def seed(self) -> str:
        """The seed of this run's randomness."""
        return self._seed

    @property
    def functions(self) -> "FunctionTable | None":
        """Names nested functions of the flow's file."""
        return self._functions

    def execute(self, flow: "Flow[..., Any]", arguments: dict[str, Json]) -> None:
        """Start the flow's body."""
        self._task = self._world.loop.create_task(self._execute(flow, arguments))

    def stop(self) -> None:
        """Cancel the run: CancelledError where it waits, steps under way end first."""
        if self._task is not None and not self._task.done():
            self._cancelling = True
            self._world.note(self._id, "cancel requested", "")
            self._task.cancel(CANCEL_RUN)

    def abandon(self) -> None:
        """The test is over."""
        if self._task is not None:
            self._task.cancel()

    async def _execute(self, flow: "Flow[..., Any]", arguments: dict[str, Json]) -> None:
        world = self._world
        world.note(self._id, "run started", "")
        try:
            self.outcome = outcome = await run_flow(flow, arguments, self)
        except asyncio.CancelledError:
            self.outcome, self.end = failed(asyncio.CancelledError()), End("cancelled")
        except BaseException as error:
            world.fail(error)
            return
        else:
            if isinstance(outcome, Completed):
                self.end = End("done", outcome.value)
            else:
                self.end = End("failed", None, error_json(outcome))
        world.note(self._id, f"run {self.end.status}", "")
        self.inbox.close(lambda: failed(Unanswered(f"run {self._id} ended before it answered")))
        self.finished.set_result(None)

    # Primitives of `Run`.

    async def step(self, call: StepCall) -> Outcome:
        """Attempts by the step's policy. An attempt under way at a cancel of the run ends first."""
        begun = self._begin(call.op, "step", call.name, dict(call.arguments))
        work = self._world.loop.create_task(self._attempts_of(call))
        try:
            outcome = await asyncio.shield(work)
        except asyncio.CancelledError as error:
            late = await self._ended_first(work) if CANCEL_RUN in error.args else None
            work.cancel()
            self._end(begun, late)
            raise
        except ScriptError as error:
            self._give_up(error)
            await self._forever()
        self._end(begun, outcome)
        return outcome

    async def child(self, call: FlowCall) -> Outcome:
        """A child run per attempt of the flow's retry policy."""
        begun = self._begin(call.op, "flow", call.name, dict(call.arguments))
        number = 1
        while True:
            name = call.op.path if number == 1 else f"{call.op.path}~{number}"
            run = ReferenceRun(
                self._world,
                f"{self._id}/{name}",
                child_seed(self._seed, name),
                functions=self._functions,
                parent=self,
                prefix=f"{self._prefix}{name}/",
            )
            run.execute(call.flow, dict(call.arguments))
            try:
                outcome = await self._child_ended(run)
                delay = self._child_delay(call, outcome, number)
                if delay is None:
                    self._end(begun, outcome)
                    return outcome
                await self._until(due(self._world.loop.time(), delay))
            except asyncio.CancelledError:
                self._end(begun, None)
                raise
            number += 1
            self._attempts[call.op.path] = number

    async def start(self, call: FlowCall) -> str:
        """A run of its own, with its own trace."""
        begun = self._begin(call.op, "start", call.name, dict(call.arguments))
        run_id = call.id or f"{self._id}/{call.op.path}"
        if run_id not in self._world.runs:
            run = ReferenceRun(
                self._world,
                run_id,
                child_seed(self._seed, call.op.path),
                functions=self._functions,
            )
            run.execute(call.flow, dict(call.arguments))
        self._end(begun, Completed(run_id))
        return run_id

    async def event(self, wait: EventWait) -> Outcome:
        """Take the oldest event; one that is stored by the deadline wins."""
        begun = self._begin(wait.op, "event", wait.name, {})
        waiter = self.inbox.wait(self._world.loop, wait)
        timer = self._deadline(waiter, wait)
        try:
            ticket = await waiter
        except asyncio.CancelledError:
            self.inbox.give_back([wait.op.path])
            self._end(begun, None)
            raise
        except ScriptError as error:
            self._give_up(error)
            await self._forever()
        finally:
            self.inbox.leave(waiter)
            if timer is not None:
                timer.cancel()
        outcome = failed(TimeoutError()) if ticket is None else Completed(ticket.encoded)
        self._end(begun, outcome)
        return outcome

    async def sleep(self, timer: Timer) -> None:
        """Until the timer is due; a "timeout" leaves no trace."""
        begun = self._begin(timer.op, timer.kind, timer.kind, sleep_arguments(timer))
        now = self._world.loop.time()
        when = due(now, timer.seconds if timer.until is None else timer.until - now)
        try:
            await self._until(when)
        except asyncio.CancelledError:
            self._end(begun, None)
            raise
        self._end(begun, Completed(None))

    async def send(self, message: Message) -> None:
        """Into the other run's inbox."""
        arguments: dict[str, Json] = {"run": message.run, "payload": message.payload}
        begun = self._begin(message.op, "send", message.name, arguments)
        inbox = self._other(message.run, begun).inbox
        try:
            inbox.store(message.name, message.payload, self._world.loop.time())
        except InvalidInput as error:
            self._end(begun, failed(error))
            raise
        self._end(begun, Completed(None))

    async def ask(self, message: Message) -> Outcome:
        """Into the other run's inbox, and wait for its reply."""
        arguments: dict[str, Json] = {"run": message.run, "payload": message.payload}
        begun = self._begin(message.op, "ask", message.name, arguments)
        answer: asyncio.Future[Outcome] = self._world.loop.create_future()
        inbox = self._other(message.run, begun).inbox
        try:
            inbox.store(message.name, message.payload, self._world.loop.time(), answer)
            outcome = await answer
        except InvalidInput as error:
            self._end(begun, failed(error))
            raise
        except asyncio.CancelledError:
            self._end(begun, None)
            raise
        self._end(begun, outcome)
        return outcome

    async def cancel(self, op: Operation, run: str) -> None:
        """Cancel another run."""
        begun = self._begin(op, "cancel", "cancel", {"run": run})
        self._other(run, begun).stop()
        self._end(begun, Completed(None))

    async def reply(self, message: Message) -> None:
        """Answer the oldest unanswered message that this scope took."""
        begun = self._begin(message.op, "reply", message.name, {"value": message.payload})
        try:
            self.inbox.reply(message.op.scope.path, message.name, message.payload)
        except RuntimeError as error:
            self._end(begun, failed(error))
            raise
        self._end(begun, Completed(None))

    async def progress(self, message: Message) -> None:
        """Kept for the result."""
        self.progress_value = message.payload
        self._world.note(self._id, "progress", self._prefix + message.op.path)

    def now(self, scope: str, ordinal: int) -> float:
        """The virtual clock."""
        return self._world.loop.time()

    def log(self, record: LogRecord) -> None:
        """Kept for the result."""
        if not self._world.frozen:
            self._world.logs.append(record)

    async def settle(self, depth: int) -> None:
        """Until nothing is ready at this instant. Children lie deeper than their parents."""
        await self._world.loop.settle(depth + 1000 * self._id.count("/"))

    def decided(self, path: str) -> Json:
        """Nothing: the reference never repeats a run."""
        return None

    def decide(self, path: str, kind: str, compute: Callable[[], Json]) -> Json:
        """What is so now."""
        return compute()

    def branch_ended(self, path: str) -> None:
        """Kept for the trace."""
        if not self._world.frozen:
            self.ended.add(self._prefix + path)

    def recorded(self, path: str) -> bool:
        """Never: the reference repeats nothing."""
        return False

    def give_back(self, paths: Sequence[str]) -> None:
        """To the front of the inbox; in the trace these waits lost."""
        self.inbox.give_back(paths)
        for path in paths:
            place = self._places[path]
            self.entries[place] = self.entries[place]._replace(outcome=outcome_json(None))

    # Steps.

    async def _attempts_of(self, call: StepCall) -> Outcome:
        number = 1
        while True:
            self._attempts[call.op.path] = number
            attempted = await self._attempt(call, number)
            self._usage[call.op.path] = added(
                (*self._usage.get(call.op.path, ()), *attempted.usage)
            )
            error = attempted.error
            delay = (
                None
                if error is None or self._cancelling
                else delay_before_next(call.step.retry, error, number)
            )
            if delay is None:
                return attempted.outcome
            await self._until(due(self._world.loop.time(), delay))
            if self._cancelling:
                return attempted.outcome
            number += 1

    async def _attempt(self, call: StepCall, number: int) -> Attempted:
        world, start = self._world, self._world.loop.time()
        deadline = due(start, call.step.timeout)
        path = self._prefix + call.op.path
        arguments = decode_slots(dict(call.arguments), functions=self._functions)
        answer = world.scripts.answer(Attempt(call.name, path, number, arguments))
        world.note(self._id, f"attempt {number}", path)
        if isinstance(answer, RunsBody):
            this = ThisStep(
                f"{self._id}/{call.op.path}",
                number,
                datetime.fromtimestamp(deadline, UTC),
                self._id,
            )
            return await world.run_body(
                lambda: timed_attempt(call.step, call.arguments, this, call.step.timeout)
            )
        if start + answer.after_seconds > deadline:
            await self._until(deadline)
            return raised(TimeoutError())
        if answer.after_seconds:
            await self._until(start + answer.after_seconds)
        return answered(call.step, answer)

    async def _ended_first(self, work: "asyncio.Task[Outcome]") -> Outcome | None:
        """At a cancel of the run: the attempt under way ends; what follows it does not start."""
        while not work.done():
            try:
                await asyncio.wait([work])
            except asyncio.CancelledError:
                continue
        return work.result()

    async def _child_ended(self, run: "ReferenceRun") -> Outcome:
        try:
            await asyncio.shield(run.finished)
        except asyncio.CancelledError as error:
            if run._task is not None:
                run._task.cancel(*error.args)
            while not run.finished.done():
                try:
                    await asyncio.wait([run.finished])
                except asyncio.CancelledError as again:
                    if run._task is not None:
                        run._task.cancel(*again.args)
            raise
        return run.outcome or failed(asyncio.CancelledError())

    def _child_delay(self, call: FlowCall, outcome: Outcome, number: int) -> float | None:
        if isinstance(outcome, Completed):
            return None
        from perdure.codec import decode_error

        return delay_before_next(call.flow.retry, decode_error(outcome.error), number)

    # Waits.

    def _deadline(
        self, waiter: "asyncio.Future[Ticket | None]", wait: EventWait
    ) -> "asyncio.Task[None] | None":
        if wait.timeout is None:
            return None
        when = due(self._world.loop.time(), wait.timeout)

        async def expire() -> None:
            await self._until(when)
            await self.settle(wait.op.scope.depth + 1)
            if not waiter.done():
                waiter.set_result(None)

        return self._world.loop.create_task(expire())

    async def _until(self, when: float) -> None:
        if when <= self._world.loop.time():
            return
        passed: asyncio.Future[None] = self._world.loop.create_future()
        timer = self._world.loop.call_at(when, _release, passed)
        try:
            await passed
        finally:
            timer.cancel()

    # Records.

    def _begin(self, op: Operation, kind: str, name: str, arguments: dict[str, Json]) -> _Begun:
        self._world.note(self._id, f"{kind} started", self._prefix + op.path)
        return _Begun(op, kind, name, arguments)

    def _end(self, begun: _Begun, outcome: Outcome | None) -> None:
        if self._world.frozen:
            return
        entry = TraceEntry(
            self._prefix + begun.op.path,
            begun.kind,
            begun.name,
            begun.arguments,
            self._attempts.get(begun.op.path, 1),
            outcome_json(outcome),
            begun.op.site,
            self._world.loop.time(),
            self._usage.get(begun.op.path, ()),
        )
        self._world.note(self._id, f"{begun.kind} ended", entry.path)
        if begun.kind != "timeout":
            self._places[begun.op.path] = len(self.entries)
            self.entries.append(entry)

    def _other(self, run: str, begun: _Begun) -> "ReferenceRun":
        found = self._world.runs.get(run)
        if found is None:
            error = LookupError(f"no run {run!r}")
            self._end(begun, failed(error))
            raise error
        return found

    def _give_up(self, error: BaseException) -> None:
        self._world.fail(error)

    async def _forever(self) -> NoReturn:
        while True:
            await self._world.loop.create_future()


def _release(passed: "asyncio.Future[None]") -> None:
    if not passed.done():
        passed.set_result(None)
