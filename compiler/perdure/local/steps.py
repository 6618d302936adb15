"""A step of the local engine: attempts by its policy, each recorded before it begins."""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final, final

from perdure.durations import due
from perdure.errors import StepLost
from perdure.local.bodies import Attempt
from perdure.local.journal import OperationState
from perdure.local.tracebacks import traceback_of
from perdure.runtime.bodies import Attempted, raised
from perdure.runtime.branches import message_of
from perdure.runtime.engine import CANCEL_RUN, Outcome, StepCall
from perdure.runtime.retries import LOST_IN_A_ROW, delay_before_next
from perdure.runtime.usage import usage_json
from perdure.runtime.values import failed
from perdure.store.protocol import Json

if TYPE_CHECKING:
    from perdure.local.run import LocalRun

__all__ = ["SLOW", "run_step"]

SLOW: Final = 0.005
"""Seconds. What took longer is durable before the flow goes on. What was faster becomes so
together with what the flow does next, in one commit: repeating it would cost less than a sync."""


async def run_step(run: "LocalRun", call: StepCall) -> Outcome:
    """Return the recorded outcome, or run attempts until one is final.

    When the run is cancelled, the attempt under way ends and is recorded first; when the step
    lost a race or met a deadline, it is cancelled and recorded as that.
    """
    attempts: _Attempts | None = None
    try:
        before = await run.ended_before(call.op, "step", call.name, dict(call.arguments))
        if before is not None:
            return before
        begun = call.op.path not in run.journal.operations
        first = {"attempt": 1} if begun else {}
        state = run.open(call.op, "step", call.name, dict(call.arguments), **first)
        attempts = _Attempts(run, call, state, begun=begun)
        return await asyncio.shield(attempts.start())
    except asyncio.CancelledError as error:
        known = run.journal.operations.get(call.op.path)
        if message_of(error) == CANCEL_RUN and known is not None and known.under_way:
            # Also an attempt that was under way when another process ended.
            await (attempts or _Attempts(run, call, known)).let_end()
        elif attempts is not None:
            attempts.cancel()
            if message_of(error) == CANCEL_RUN and known is not None and known.failures:
                # It waited for its next attempt: what the last one said is how the step ended.
                run.append("end", path=call.op.path, error=known.failures[-1].error)
        run.interrupt(call.op)
        raise


def _take_note(task: "asyncio.Task[Outcome]") -> None:
    """A fault stops the engine, and that says it: asyncio need not write about it as well."""
    if not task.cancelled():
        task.exception()


@final
class _Attempts:
    """The attempts of one step."""

    def __init__(
        self, run: "LocalRun", call: StepCall, state: OperationState, *, begun: bool = False
    ) -> None:
        self._run = run
        self._call = call
        self._state = state
        self._begun = begun
        """The first attempt is recorded already, with the step itself."""
        self._took = 0.0
        """Seconds the last attempt took."""
        self._trace = ""
        """Where the last attempt raised, in the step's own lines."""
        self._last = False
        self._spent: list[Json] = []
        """What the last attempt reported."""
        self._task: asyncio.Task[Outcome] | None = None

    def start(self) -> asyncio.Task[Outcome]:
        """Try until an attempt is final, in a task of its own."""
        self._task = self._run.engine.loop.create_task(self._try())
        self._task.add_done_callback(_take_note)
        return self._task

    def cancel(self) -> None:
        """Stop trying; the attempt under way is cancelled and what it does is dropped."""
        if self._task is not None:
            self._task.cancel()

    async def let_end(self) -> None:
        """Let the attempt under way end and be recorded; no other follows."""
        self._last = True
        task = self._task or self.start()
        while not task.done():
            # Whoever cancels once more meanwhile waits as well.
            with suppress(asyncio.CancelledError):
                await asyncio.wait({task})

    async def _try(self) -> Outcome:
        tree = self._run.tree
        tree.working += 1
        try:
            while True:
                outcome = await self._once()
                if outcome is not None:
                    # In one entry: that it ended, and that the flow never saw it.
                    seen: dict[str, Json] = {"interrupted": True} if self._last else {}
                    if self._spent:
                        seen["usage"] = self._spent
                    slow = self._last or self._took > SLOW
                    if self._trace:
                        seen["traceback"] = self._trace
                    return await self._run.end(self._call.op, outcome, wait=slow, **seen)
        finally:
            tree.working -= 1

    async def _once(self) -> Outcome | None:
        """Make the next attempt; None when another one follows."""
        run, state, call = self._run, self._state, self._call
        if state.retry_at is not None and not state.under_way:
            await run.engine.until(state.retry_at, run.id)
        if run.engine.draining:
            # Whoever drives the run next makes this attempt.
            run.tree.gated = True
            run.tree.working -= 1
            await run.engine.loop.create_future()
        number = state.attempts + 1
        if not self._begun:
            if state.lost + state.under_way >= LOST_IN_A_ROW:
                return failed(StepLost(f"{call.name}: {LOST_IN_A_ROW} attempts vanished in a row"))
            run.append("attempt", path=call.op.path, number=number)
        self._begun = False
        await run.engine.written()
        began = run.engine.now()
        attempted = await self._body(number)
        self._took = run.engine.now() - began
        self._spent = usage_json(attempted.usage)
        self._trace = traceback_of(attempted.error) if attempted.error is not None else ""
        if attempted.error is None:
            return attempted.outcome
        jitter = run.engine.jitter()
        delay = delay_before_next(call.step.retry, attempted.error, number, jitter)
        if delay is None or self._last:
            return attempted.outcome
        run.append(
            "failed",
            path=call.op.path,
            number=number,
            error=getattr(attempted.outcome, "error", None),
            retry_at=due(run.engine.now(), delay),
            **({"usage": self._spent} if self._spent else {}),
            traceback=self._trace,
        )
        await run.engine.written()
        return None

    async def _body(self, number: int) -> Attempted:
        run, call = self._run, self._call
        attempt = Attempt(
            call.step,
            call.name,
            call.op.path,
            run.id,
            run.prefix,
            number,
            call.arguments,
            due(run.engine.now(), call.step.timeout),
        )
        try:
            return await run.engine.bodies.run(attempt)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # The body raised it by itself: nobody cancelled this step.
            return raised(error)
        except Exception as error:
            # A step's own error is data by now: this is a script that does not fit, or our fault.
            run.engine.stop(error)
            raise
