"""Branches of a fork: tasks with a scope of their own, whose values cross through the codec.

A branch ends completed, failed or cancelled; its error is data until the fork decides that it
is the one to raise. Nothing here relies on the order in which an event loop runs its tasks.
"""

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from typing import Any, final

from perdure.runtime.engine import CANCEL_RUN, Failed, Outcome
from perdure.runtime.entering import entered
from perdure.runtime.scope import Scope, current
from perdure.runtime.values import completed, failed, result_of

__all__ = [
    "Branch",
    "cancel_all",
    "first_end",
    "give_back",
    "is_returned",
    "join",
    "message_of",
    "quorum_error",
]


@final
class Branch:
    """One branch: not started, running, or ended with an outcome (None: cancelled)."""

    __slots__ = ("index", "scope", "task", "work")

    def __init__(self, index: int, work: Awaitable[Any], scope: Scope) -> None:
        self.index = index
        # Now, not when it starts: what the flow does to its values from here on is its own.
        self.work = entered(work, scope.run.functions)
        self.scope = scope
        self.task: asyncio.Task[Outcome] | None = None

    def start(self) -> asyncio.Task[Outcome]:
        """Run it as a task of its own."""
        self.task = asyncio.get_running_loop().create_task(self._run())
        return self.task

    @property
    def ended(self) -> bool:
        """Completed, failed or cancelled."""
        return self.task is not None and self.task.done()

    @property
    def outcome(self) -> Outcome | None:
        """How it ended; None if it was cancelled, or raised CancelledError by itself."""
        if self.task is None or self.task.cancelled():
            return None
        return self.task.result()

    @property
    def succeeded(self) -> bool:
        """Ended with a value."""
        return self.ended and self.outcome is not None and not isinstance(self.outcome, Failed)

    def value(self) -> Any:
        """The value, decoded fresh; raises the branch's error."""
        outcome = self.outcome
        if outcome is None:
            raise asyncio.CancelledError
        return result_of(outcome, self.scope.run.functions)

    def cancel(self, message: str | None = None) -> None:
        """Cancel what runs; what never started is given up."""
        if self.task is not None:
            self.task.cancel(message)
        else:
            close = getattr(self.work, "close", None)
            if close is not None:
                close()

    async def _run(self) -> Outcome:
        outcome = await self._outcome()
        self.scope.run.branch_ended(self.scope.path)
        return outcome

    async def _outcome(self) -> Outcome:
        current.set(self.scope)
        try:
            value = await self.work
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            return failed(error)
        try:
            return completed(value, functions=self.scope.run.functions)
        except (TypeError, ValueError) as uncodable:
            return failed(uncodable)


def is_returned(error: BaseException) -> bool:
    """Whether `return_exceptions` and groups take it: these two end a program under asyncio."""
    return not isinstance(error, (SystemExit, KeyboardInterrupt))


def quorum_error(k: int, errors: Sequence[BaseException]) -> BaseException:
    """What a quorum raises that can no longer be reached; `errors` in argument order."""
    for error in errors:
        if not is_returned(error):
            return error
    told = [error for error in errors if isinstance(error, Exception)]
    return BaseExceptionGroup(f"a quorum of {k} is out of reach", told or list(errors))


def message_of(error: asyncio.CancelledError) -> str | None:
    """Why a task was cancelled, to pass on to the branches it waits for."""
    return CANCEL_RUN if error.args and error.args[0] == CANCEL_RUN else None


async def first_end(branches: Sequence[Branch]) -> None:
    """Wait until one of the running branches ends, and all that ends at the same instant."""
    running = _running(branches)
    if running:
        await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    scope = branches[0].scope
    await scope.run.settle(scope.depth)


async def join(branches: Sequence[Branch]) -> None:
    """Wait until all that was started has ended. Cancelled meanwhile, it passes that on, waits
    all the same, and then raises it."""
    cancelled: asyncio.CancelledError | None = None
    while running := _running(branches):
        try:
            await asyncio.wait(running)
        except asyncio.CancelledError as error:
            cancelled = error
            for branch in branches:
                if not branch.ended:
                    branch.cancel(message_of(error))
    if cancelled is not None:
        raise cancelled


async def cancel_all(branches: Sequence[Branch], message: str | None = None) -> None:
    """Cancel the branches that still run, wait for their end, give back what they took."""
    lost = [branch for branch in branches if not branch.ended]
    for branch in lost:
        branch.cancel(message)
    try:
        await join(lost)
    finally:
        give_back(lost)


def give_back(losers: Iterable[Branch]) -> None:
    """Events that losers took last, and that nobody saw therefore, go back."""
    for branch in losers:
        if branch.scope.taken:
            branch.scope.run.give_back(tuple(branch.scope.taken))
            branch.scope.taken.clear()


def _running(branches: Sequence[Branch]) -> list[asyncio.Task[Outcome]]:
    return [branch.task for branch in branches if branch.task is not None and not branch.ended]
