"""`HostedRun`: a run whose engine keeps the history and runs the flow again from its first line.

Such an engine gives back, in the order of its history, what each operation came to; a run records
nothing and decides nothing twice. All that differs between engines is behind `Host`.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, final

from perdure.codec import decode_error, encode_error
from perdure.codec.text import Json
from perdure.durations import due
from perdure.errors import InvalidInput, StepLost, Unanswered
from perdure.runtime.bodies import run_flow
from perdure.runtime.conversation import Conversation
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
from perdure.runtime.host import Attempt, Begun, Host, Identity, LostError
from perdure.runtime.mailbox import Mailbox, Question
from perdure.runtime.reads import child_seed
from perdure.runtime.retries import LOST_IN_A_ROW, delay_before_next
from perdure.runtime.usage import Usage, added
from perdure.runtime.values import failed
from perdure.trace import End, TraceEntry, error_json, outcome_json, sleep_arguments

if TYPE_CHECKING:
    from perdure.codec.functions import FunctionTable
    from perdure.language import Flow

__all__ = ["HostedRun"]


@final
class HostedRun:
    """See `perdure.runtime.engine.Run`; `execute` it once."""

    def __init__(self, host: Host, identity: Identity) -> None:
        self._host = host
        self._identity = identity
        self.mailbox = Mailbox(host.misfit)
        self._places: dict[str, int] = {}
        self._attempts: dict[str, int] = {}
        self._usage: dict[str, tuple[Usage, ...]] = {}
        self._conversation = Conversation(host, identity.run)
        self.handed: Mapping[str, Json] | None = None
        """At which loop this generation begins, and with what; None for the first."""
        self.handed_values: dict[str, object] | None = None
        self.next: dict[str, Json] | None = None
        """The same for the next generation, once this one stops for it."""
        self._cancelling = False
        self._task: asyncio.Task[None] | None = None
        self.end: End | None = None
        self.outcome: Outcome | None = None
        self._children: set[str] = set()

    @property
    def id(self) -> str:
        """The run id."""
        return self._identity.run

    @property
    def seed(self) -> str:
        """The seed of this run's randomness."""
        return self._identity.seed

    @property
    def functions(self) -> "FunctionTable | None":
        """Names nested functions of the flow's files."""
        return self._host.functions

    def execute(
        self,
        flow: "Flow[..., Any]",
        arguments: Mapping[str, Json],
        handed: Mapping[str, Json] | None = None,
    ) -> None:
        """Start the flow's body, where the generation before this one stopped."""
        if handed is not None:
            self.handed = handed
            self._cancelling = bool(handed["cancelling"])
            mailbox = handed["mailbox"]
            assert isinstance(mailbox, dict)
            self.mailbox.restore(mailbox)
        self._task = self._host.loop.create_task(self._execute(flow, arguments))

    def deliver(self, message: Mapping[str, Json]) -> None:
        """Take what another run, or somebody outside, wrote to this one."""
        match message:
            case {"cancel": str(how)}:
                self._cancel(how)
            case {"reply": str(id), **rest}:
                self._conversation.heard(id, rest)
            case {"event": str(name), **rest}:
                self._receive(name, rest)
            case _:
                raise ValueError(f"not a message of perdure: {dict(message)!r}")

    def _receive(self, name: str, message: Mapping[str, Json]) -> None:
        sender, id = message.get("from"), str(message.get("id"))
        if sender is None and "id" in message and not self.mailbox.is_new(id):
            return
        asks = Question(str(sender), id) if message.get("asks") else None
        try:
            plain = bool(message.get("plain"))
            # What does not fit is told to a run that sent it; nobody else listens.
            checked = sender is not None
            payload = message.get("payload")
            self.mailbox.store(name, payload, plain=plain, question=asks, checked=checked)
        except InvalidInput as error:
            self._host.tell(str(sender), {"reply": id, "error": encode_error(error)})
        else:
            if sender is not None:
                self._host.tell(str(sender), {"reply": f"{id}~heard", "value": None})

    def _cancel(self, how: str) -> None:
        """ "run" lets steps under way end, "overtaken" is what a race or deadline does, "now" ends
        the run without any cleanup."""
        if self._task is None or self._task.done() or self._host.over:
            return
        if how == "now":
            for child in sorted(self._children):
                self._host.tell(child, {"cancel": "now"})
            self._over(failed(asyncio.CancelledError()), End("cancelled"))
            return
        self._cancelling = self._cancelling or how == "run"
        self._task.cancel(*((CANCEL_RUN,) if how == "run" else ()))

    async def _execute(self, flow: "Flow[..., Any]", arguments: Mapping[str, Json]) -> None:
        try:
            outcome = await run_flow(flow, arguments, self)
        except asyncio.CancelledError:
            self._over(failed(asyncio.CancelledError()), End("cancelled"))
        else:
            if isinstance(outcome, Completed):
                self._over(outcome, End("done", outcome.value))
            else:
                self._over(outcome, End("failed", None, error_json(outcome)))

    def stop(self, outcome: Outcome) -> None:
        """End with an error that no handler of the flow sees."""
        assert isinstance(outcome, Failed)
        end = End("failed", None, error_json(outcome))
        self._over(outcome, end)
        self.outcome, self.end = outcome, end

    def _over(self, outcome: Outcome, end: End) -> None:
        if self._host.over or self.end is not None:
            return
        self.outcome, self.end = outcome, end
        unanswered = Unanswered(f"run {self.id} ended before it answered")
        for question in self.mailbox.questions():
            answer: dict[str, Json] = {"reply": question.id, "error": encode_error(unanswered)}
            self._host.tell(question.run, answer)

    # Steps and child flows.

    async def step(self, call: StepCall) -> Outcome:
        """Attempts by the step's policy. An attempt under way at a cancel of the run ends first."""
        begun = await self._begin(call.op, "step", call.name, call.arguments)
        work = self._host.loop.create_task(self._attempts_of(call))
        try:
            outcome = await asyncio.shield(work)
        except asyncio.CancelledError as error:
            ended = await self._ended_first(work) if CANCEL_RUN in error.args else None
            work.cancel()
            self._end(begun, ended)
            raise
        self._end(begun, outcome)
        return outcome

    async def _attempts_of(self, call: StepCall) -> Outcome:
        number = 1
        while True:
            self._attempts[call.op.path] = number
            outcome, again = await self._attempt(call, number)
            if not again or self._cancelling or not isinstance(outcome, Failed):
                return outcome
            jitter = self._host.jitter(f"{self.seed}/{call.op.path}~{number}")
            error = decode_error(outcome.error)
            delay = delay_before_next(call.step.retry, error, number, jitter)
            if delay is None:
                return outcome
            await self._pause(delay)
            if self._cancelling:
                return outcome
            number += 1

    async def _attempt(self, call: StepCall, number: int) -> tuple[Outcome, bool]:
        """One attempt that counts: those that were lost are made again."""
        path = call.op.path
        whole = self._identity.prefix + path
        attempt = Attempt(self.id, f"{self.id}/{path}", whole, number, call.step.timeout)
        for _ in range(LOST_IN_A_ROW):
            try:
                outcome, again, usage = await self._host.attempt(call, attempt)
            except LostError:
                continue
            self._usage[path] = added((*self._usage.get(path, ()), *usage))
            return outcome, again
        lost = f"{call.name}: {LOST_IN_A_ROW} attempts vanished in a row"
        return failed(StepLost(lost)), False

    async def _ended_first(self, work: "asyncio.Task[Outcome]") -> Outcome | None:
        """At a cancel of the run: the attempt under way ends; what follows it does not start."""
        while not work.done():
            if self._host.over:
                return None
            try:
                await asyncio.wait([work])
            except asyncio.CancelledError:
                continue
        return work.result()

    async def child(self, call: FlowCall) -> Outcome:
        """A child run per attempt of the flow's retry policy."""
        begun = await self._begin(call.op, "flow", call.name, call.arguments)
        number = 1
        while True:
            name = call.op.path if number == 1 else f"{call.op.path}~{number}"
            try:
                outcome = await self._child(call, self._identity.child(name))
                delay = None
                if isinstance(outcome, Failed):
                    error = decode_error(outcome.error)
                    delay = delay_before_next(call.flow.retry, error, number)
                if delay is None:
                    self._end(begun, outcome)
                    return outcome
                await self._pause(delay)
            except asyncio.CancelledError:
                self._end(begun, None)
                raise
            number += 1
            self._attempts[call.op.path] = number

    async def _child(self, call: FlowCall, identity: Identity) -> Outcome:
        """Its outcome. A cancellation is passed on, and its end waited for."""
        work = self._host.child(call, identity)
        self._children.add(identity.run)
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError as error:
            self._pass_on(identity, error)
            while not work.done() and not self._host.over:
                try:
                    await asyncio.wait([work])
                except asyncio.CancelledError as again:
                    self._pass_on(identity, again)
            raise
        finally:
            self._children.discard(identity.run)
        try:
            return work.result()
        except LostError:
            return failed(RuntimeError(f"run {identity.run} was stopped from outside"))

    def _pass_on(self, identity: Identity, error: asyncio.CancelledError) -> None:
        if not self._host.over:
            how = "run" if CANCEL_RUN in error.args else "overtaken"
            self._host.tell(identity.run, {"cancel": how})

    # Waits.

    async def event(self, wait: EventWait) -> Outcome:
        """Take the oldest event; one that is stored by the deadline wins."""
        until = None if wait.timeout is None else due(self._host.now(), wait.timeout)
        begun = await self._begin(wait.op, "event", wait.name, {}, until)
        self._host.expect(wait.name)
        waiter = self.mailbox.wait(wait)
        timer = self._deadline(waiter, wait, until)
        try:
            taken = await waiter
        except asyncio.CancelledError:
            if not self._host.over:
                self.mailbox.give_back([wait.op.path])
            self._end(begun, None)
            raise
        finally:
            self.mailbox.leave(waiter)
            if timer is not None:
                timer.cancel()
        outcome = failed(TimeoutError()) if taken is None else taken
        self._end(begun, outcome)
        return outcome

    def _deadline(
        self, waiter: "asyncio.Future[Outcome | None]", wait: EventWait, when: float | None
    ) -> "asyncio.Task[None] | None":
        if when is None:
            return None

        async def expire() -> None:
            await self._host.until(when)
            await self.settle(wait.op.scope.depth + 1)
            if not waiter.done():
                waiter.set_result(None)

        return self._host.loop.create_task(expire())

    async def sleep(self, timer: Timer) -> None:
        """Until the timer is due; a "timeout" leaves no trace."""
        now = self._host.now()
        when = due(now, timer.seconds if timer.until is None else timer.until - now)
        given = sleep_arguments(timer)
        begun = await self._begin(timer.op, timer.kind, timer.kind, given, when)
        try:
            await self._host.until(when)
        except asyncio.CancelledError:
            self._end(begun, None)
            raise
        self._end(begun, Completed(None))

    async def _pause(self, seconds: float) -> None:
        await self._host.until(due(self._host.now(), seconds))

    async def settle(self, depth: int) -> None:
        """Until all has come that is due at this instant."""
        await self._alive()
        await self._host.settle(depth)

    # Other runs.

    async def start(self, call: FlowCall) -> str:
        """A run of its own, with its own trace."""
        begun = await self._begin(call.op, "start", call.name, call.arguments)
        run = call.id or f"{self.id}/{call.op.path}"
        identity = Identity(run, child_seed(self.seed, call.op.path), run)
        try:
            outcome = await self._host.start(call, identity)
        except asyncio.CancelledError:
            self._end(begun, None)
            raise
        self._end(begun, outcome)
        if isinstance(outcome, Failed):
            raise decode_error(outcome.error)
        return run

    async def send(self, message: Message) -> None:
        """Into the other run's inbox."""
        outcome = await self._write(message, "send", asks=False)
        if isinstance(outcome, Failed):
            raise decode_error(outcome.error)

    async def ask(self, message: Message) -> Outcome:
        """Into the other run's inbox, and wait for its reply."""
        outcome = await self._write(message, "ask", asks=True)
        if isinstance(outcome, Failed):
            raise decode_error(outcome.error)
        return outcome

    async def _write(self, message: Message, kind: str, *, asks: bool) -> Outcome:
        arguments: dict[str, Json] = {"run": message.run, "payload": message.payload}
        begun = await self._begin(message.op, kind, message.name, arguments)
        try:
            found = await self._host.find(message.run)
            outcome: Outcome = Completed(None)
            if found is None:
                outcome = failed(LookupError(f"no run {message.run!r}"))
            elif found == "running" or asks:
                outcome = await self._conversation.tell(message, found, asks=asks)
        except asyncio.CancelledError:
            self._end(begun, None)
            raise
        self._end(begun, outcome)
        return outcome

    async def cancel(self, op: Operation, run: str) -> None:
        """Ask another run to cancel."""
        begun = await self._begin(op, "cancel", "cancel", {"run": run})
        try:
            found = await self._host.find(run)
        except asyncio.CancelledError:
            self._end(begun, None)
            raise
        if found is None:
            error = LookupError(f"no run {run!r}")
            self._end(begun, failed(error))
            raise error
        self._host.tell(run, {"cancel": "run"})
        self._end(begun, Completed(None))

    async def reply(self, message: Message) -> None:
        """Answer the oldest unanswered message that this scope took."""
        begun = await self._begin(message.op, "reply", message.name, {"value": message.payload})
        try:
            question = self.mailbox.answer(message.op.scope.path, message.name)
        except RuntimeError as error:
            self._end(begun, failed(error))
            raise
        if question is not None:
            self._host.tell(question.run, {"reply": question.id, "value": message.payload})
        self._end(begun, Completed(None))

    # What leaves no trace.

    def is_full(self) -> bool:
        """Whether the history is long, and nothing is under way."""
        return self._host.is_full()

    async def hand_over(self, state: Mapping[str, Json]) -> None:
        """Stop here for good: the next generation goes on."""
        await self._alive()
        mailbox = self.mailbox.saved()
        self.next = {**state, "cancelling": self._cancelling, "mailbox": mailbox}
        await self._host.loop.create_future()

    async def progress(self, message: Message) -> None:
        """Publish what the run is at."""
        await self._alive()
        self._host.show(message.payload, message.op.site)

    def now(self, scope: str, ordinal: int) -> float:
        """Engine time."""
        return self._host.now()

    def log(self, record: LogRecord) -> None:
        """Shown once, when it is not replayed."""
        if not self._host.over:
            self._host.log(record)

    def decided(self, path: str) -> Json:
        """Nothing: a replay decides the same again."""
        return None

    def decide(self, path: str, kind: str, compute: Callable[[], Json]) -> Json:
        """What is so now."""
        return compute()

    def recorded(self, path: str) -> bool:
        """Never: the engine keeps the records."""
        return False

    def branch_ended(self, path: str) -> None:
        """Kept for the trace."""
        if not self._host.over:
            self._host.branch_ended(self._identity.prefix + path)

    def give_back(self, paths: Sequence[str]) -> None:
        """To the front of the inbox; in the trace these waits lost."""
        if self._host.over:
            return
        self.mailbox.give_back(paths)
        for path in paths:
            self._host.lost(self._places[path])

    # Records.

    async def _alive(self) -> None:
        """Nothing starts in an episode that is over."""
        if self._host.over:
            self._host.refused()
            raise asyncio.CancelledError

    async def _begin(
        self,
        op: Operation,
        kind: str,
        name: str,
        arguments: Mapping[str, Json],
        due: float | None = None,
    ) -> Begun:
        await self._alive()
        begun = Begun(op, kind, name, dict(arguments), due)
        self._host.begun(begun)
        return begun

    def _end(self, begun: Begun, outcome: Outcome | None) -> None:
        if self._host.over:
            return
        self._host.came(begun, outcome)
        if begun.kind == "timeout":
            return
        path = begun.op.path
        entry = TraceEntry(
            self._identity.prefix + path,
            begun.kind,
            begun.name,
            begun.arguments,
            self._attempts.get(path, 1),
            outcome_json(outcome),
            begun.op.site,
            self._host.now(),
            self._usage.get(path, ()),
        )
        self._places[path] = self._host.ended(entry)
