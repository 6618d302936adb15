"""`asyncio.TaskGroup` in a flow: joins at its end, holds exactly the error that cancelled it."""

import asyncio
from collections.abc import Awaitable, Generator
from types import TracebackType
from typing import Any, final

from perdure.runtime.branches import (
    Branch,
    cancel_all,
    give_back,
    is_returned,
    join,
    message_of,
)
from perdure.runtime.perform import running_scope
from perdure.runtime.scope import Scope
from perdure.runtime.site import Site

__all__ = ["GroupTask", "TaskGroup"]


@final
class GroupTask:
    """What `create_task` returns: `result()` after the group has joined."""

    def __init__(self, branch: Branch, name: str | None) -> None:
        self._branch = branch
        self._name = name
        self._value: tuple[Any] | None = None

    def result(self) -> Any:
        """The branch's value, the same object at each call; raises its error."""
        if not self._branch.ended:
            raise asyncio.InvalidStateError("Result is not set.")
        if self._value is None:
            self._value = (self._branch.value(),)
        return self._value[0]

    def exception(self) -> BaseException | None:
        """The branch's error, None if it has a value."""
        try:
            self.result()
        except (asyncio.InvalidStateError, asyncio.CancelledError):
            raise
        except BaseException as error:
            return error
        return None

    def done(self) -> bool:
        """Whether it has ended."""
        return self._branch.ended

    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self._branch.ended and self._branch.outcome is None

    def cancel(self, msg: object = None) -> bool:
        """Cancel it; False if it has ended."""
        if self._branch.ended:
            return False
        self._branch.cancel()
        return True

    def get_name(self) -> str:
        """The name given to `create_task`, else its index."""
        return str(self._name) if self._name is not None else f"Task-{self._branch.index}"

    def __await__(self) -> Generator[Any, Any, Any]:
        task = self._branch.task
        if task is not None and not task.done():
            yield from asyncio.wait([task]).__await__()
        return self.result()


@final
class TaskGroup:
    """The group of one `async with`: its branches are numbered as they are created."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._path = ""
        self._scope: Scope | None = None
        self._parent: asyncio.Task[Any] | None = None
        self._branches: list[Branch] = []
        self._failed: Branch | None = None
        self._deciding: asyncio.Task[None] | None = None
        self._closing = False
        self._aborting = False
        self._cancelled_parent = False

    async def __aenter__(self) -> "TaskGroup":
        if self._scope is not None:
            raise RuntimeError(f"TaskGroup {self!r} has already been entered")
        self._scope = running_scope()
        self._path = self._scope.enter(self._site.label)
        self._parent = asyncio.current_task()
        return self

    def create_task(
        self, coro: Awaitable[Any], *, name: str | None = None, context: object = None
    ) -> GroupTask:
        """Start a branch."""
        if self._scope is None:
            raise RuntimeError(f"TaskGroup {self!r} has not been entered")
        if self._aborting or (self._closing and all(b.ended for b in self._branches)):
            raise RuntimeError(f"TaskGroup {self!r} is shutting down")
        index = len(self._branches)
        branch = Branch(index, coro, self._scope.branch(self._path, index))
        self._branches.append(branch)
        branch.start().add_done_callback(lambda _: self._ended(branch))
        return GroupTask(branch, name)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closing = True
        cancelled = error if isinstance(error, asyncio.CancelledError) else None
        if self._cancelled_parent and self._parent is not None and not self._parent.uncancel():
            cancelled = None
        body_failed = error is not None and not isinstance(error, asyncio.CancelledError)
        if error is not None and not self._aborting:
            self._aborting = True
            message = message_of(cancelled) if cancelled is not None else None
            cancelled = await self._cancel_rest(message) or cancelled
        cancelled = await self._join() or cancelled
        if isinstance(error, Exception) and body_failed and self._failed is None:
            raise BaseExceptionGroup("unhandled errors in a TaskGroup", [error]) from None
        if self._failed is None:
            self._leave(cancelled)
            return
        try:
            self._failed.value()
        except BaseException as reason:
            if not is_returned(reason):
                raise
            group = BaseExceptionGroup("unhandled errors in a TaskGroup", [reason])
            raise group from None

    def _leave(self, cancelled: asyncio.CancelledError | None) -> None:
        if cancelled is not None:
            give_back(self._branches)
            raise asyncio.CancelledError from None
        if self._scope is not None:
            self._scope.taken.extend(path for b in self._branches for path in b.scope.taken)

    async def _join(self) -> asyncio.CancelledError | None:
        """Wait for all branches, also for ones created meanwhile, and for the decision."""
        cancelled: asyncio.CancelledError | None = None
        while self._is_open():
            try:
                await join(self._branches)
                if self._deciding is not None:
                    await asyncio.wait([self._deciding])
            except asyncio.CancelledError as error:
                if not self._aborting:
                    cancelled = error
                    self._aborting = True
        return cancelled

    async def _cancel_rest(self, message: str | None = None) -> asyncio.CancelledError | None:
        try:
            await cancel_all(self._branches, message)
        except asyncio.CancelledError as error:
            return error
        return None

    def _is_open(self) -> bool:
        """Whether a branch runs, or a failure has yet to be decided on."""
        for branch in self._branches:
            if branch.ended:
                # Its callback may come later than whoever waits for it.
                self._ended(branch)
        deciding = self._deciding is not None and not self._deciding.done()
        return deciding or any(not branch.ended for branch in self._branches)

    def _ended(self, branch: Branch) -> None:
        """A branch failed: at the end of this instant the lowest that did cancels the group."""
        if branch.outcome is None or branch.succeeded or self._aborting or self._deciding:
            return
        self._deciding = asyncio.get_running_loop().create_task(self._decide(branch.scope))

    async def _decide(self, scope: Scope) -> None:
        await scope.run.settle(scope.depth)
        if self._aborting:
            return
        failing = [b for b in self._branches if b.ended and b.outcome and not b.succeeded]
        index = scope.run.decide(self._path, "group", lambda: failing[0].index)
        self._failed = self._branches[int(str(index))]
        self._aborting = True
        if not self._closing and self._parent is not None:
            self._cancelled_parent = True
            self._parent.cancel()
        await cancel_all(self._branches)
