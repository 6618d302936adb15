"""One attempt of a step in this process: its own body in real time, or a test's script."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextvars import copy_context
from datetime import UTC, datetime
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeGuard, final

from perdure.operations import ThisStep
from perdure.runtime.bodies import (
    Attempted,
    as_a_coroutine_does,
    current_step,
    ended_with,
    raised,
    run_attempt,
    timed_attempt,
)
from perdure.runtime.scope import current
from perdure.runtime.usage import spent_here
from perdure.runtime.values import decode_arguments
from perdure.store.protocol import Json

if TYPE_CHECKING:
    from perdure.language import Step
    from perdure.local.loop import EngineLoop
    from perdure.testing.scripts import Scripts

__all__ = ["Attempt", "Bodies", "RealBodies", "ScriptedBodies"]


class Attempt(NamedTuple):
    """One attempt: the step, where it stands, its number (from 1) and the encoded arguments."""

    step: "Step[..., object]"
    name: str
    path: str
    run: str
    prefix: str
    """Where the run's operations lie in the trace of the run at the top."""
    number: int
    arguments: Mapping[str, Json]
    deadline: float

    def context(self) -> ThisStep:
        """Return what `this_step()` gives inside."""
        deadline = datetime.fromtimestamp(self.deadline, UTC)
        return ThisStep(f"{self.run}/{self.path}", self.number, deadline, self.run)


class Bodies(Protocol):
    """Runs attempts, each to its deadline: TimeoutError('') then. Cancellation passes through."""

    async def run(self, attempt: Attempt) -> Attempted:
        """Run one attempt to its outcome."""
        ...


@final
class RealBodies:
    """A coroutine function runs in the engine's loop, a plain one in a thread of its own."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock

    async def run(self, attempt: Attempt) -> Attempted:
        """Run the step's body."""
        try:
            async with asyncio.timeout(attempt.deadline - self._clock()) as limit:
                attempted = await self._body(attempt)
        except TimeoutError:
            return raised(TimeoutError()).at_the_border()
        # A body may have swallowed the cancellation; it is late all the same.
        return raised(TimeoutError()).at_the_border() if limit.expired() else attempted

    async def _body(self, attempt: Attempt) -> Attempted:
        if iscoroutinefunction(attempt.step.__wrapped__):
            return await run_attempt(attempt.step, attempt.arguments, attempt.context())
        current.set(None)
        current_step.set(attempt.context())
        spent_here.set([])

        def call() -> object:
            bound = decode_arguments(attempt.step, attempt.arguments)
            return attempt.step.__wrapped__(*bound.args, **bound.kwargs)

        try:
            value = await _in_thread(call)
            if _is_awaitable(value):
                value = await value
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            return raised(error).at_the_border()
        return ended_with(attempt.step, value).at_the_border()


def _is_awaitable(value: object) -> TypeGuard[Awaitable[object]]:
    return isinstance(value, Awaitable)


async def _in_thread(call: Callable[[], object]) -> object:
    """Call in a daemon thread, so that one that hangs past its timeout keeps nobody from ending."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[object] = loop.create_future()
    context = copy_context()

    def deliver(value: object, error: BaseException | None) -> None:
        if ended.done():
            return
        if error is None:
            ended.set_result(value)
        else:
            ended.set_exception(as_a_coroutine_does(error))

    def work() -> None:
        value: object = None
        problem: BaseException | None = None
        try:
            value = context.run(call)
        except BaseException as error:
            problem = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(deliver, value, problem)

    threading.Thread(target=work, daemon=True).start()
    return await ended


@final
class ScriptedBodies:
    """Answers come from a test's script; what it leaves to the body runs in no virtual time."""

    def __init__(self, scripts: "Scripts", loop: "EngineLoop", clock: Callable[[], float]) -> None:
        self._scripts = scripts
        self._loop = loop
        self._clock = clock
        from perdure.testing.bodies import BodyLoop

        self._real = BodyLoop()

    def close(self) -> None:
        """Give up what bodies left running."""
        self._real.close()

    async def run(self, attempt: Attempt) -> Attempted:
        """Answer as the script says."""
        from perdure.testing import scripts
        from perdure.testing.answers import answered

        bound = decode_arguments(attempt.step, attempt.arguments)
        path = attempt.prefix + attempt.path
        call = scripts.Attempt(attempt.name, path, attempt.number, dict(bound.arguments))
        answer = self._scripts.answer(call)
        if isinstance(answer, scripts.RunsBody):
            return await self._body(attempt)
        left = attempt.deadline - self._clock()
        await asyncio.sleep(min(left, answer.after_seconds))
        if answer.after_seconds > left:
            return raised(TimeoutError())
        return answered(attempt.step, answer)

    async def _body(self, attempt: Attempt) -> Attempted:
        step, this = attempt.step, attempt.context()
        return await self._real.run(
            self._loop, lambda: timed_attempt(step, attempt.arguments, this, step.timeout)
        )
