"""gather, race and quorum under plain asyncio, where there is no engine."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any

from perdure.operations import NO_BRANCHES

__all__ = ["gather", "quorum", "race"]

type _Task = "asyncio.Future[Any]"


async def gather(
    awaitables: Sequence[Awaitable[Any]],
    *,
    limit: int | None,
    return_exceptions: bool,
    fail_fast: bool,
) -> list[Any]:
    """Every branch ends, then the first error in argument order is raised."""
    if limit is not None and limit < 1:
        raise ValueError("limit must be at least 1")
    if fail_fast and return_exceptions:
        raise ValueError("fail_fast and return_exceptions exclude each other")
    slots = asyncio.Semaphore(limit) if limit is not None else None

    async def one(work: Awaitable[Any]) -> Any:
        if slots is None:
            return await work
        async with slots:
            return await work

    distinct = {id(work): work for work in awaitables}
    tasks = {key: asyncio.ensure_future(one(work)) for key, work in distinct.items()}
    async with _Cancelling(tasks.values()):
        if tasks:
            when = asyncio.FIRST_EXCEPTION if fail_fast else asyncio.ALL_COMPLETED
            await asyncio.wait(tasks.values(), return_when=when)
        for task in tasks.values():
            if task.done() and not task.cancelled() and not return_exceptions:
                task.result()
    ordered = [tasks[id(work)] for work in awaitables]
    return [_value_or_error(task) if return_exceptions else task.result() for task in ordered]


async def race(awaitables: Mapping[str, Awaitable[Any]]) -> tuple[str, Any]:
    """(keyword, value) of the first to end."""
    if not awaitables:
        raise ValueError(NO_BRANCHES)
    tasks = {key: asyncio.ensure_future(work) for key, work in awaitables.items()}
    async with _Cancelling(tasks.values()):
        await asyncio.wait(tasks.values(), return_when=asyncio.FIRST_COMPLETED)
        winner = next(key for key, task in tasks.items() if task.done())
    return winner, tasks[winner].result()


async def quorum(k: int, awaitables: Sequence[Awaitable[Any]]) -> list[tuple[int, Any]]:
    """The first `k` to succeed."""
    if not 1 <= k <= len(awaitables):
        raise ValueError(f"a quorum of {k} is out of reach with {len(awaitables)} branches")
    tasks = [asyncio.ensure_future(work) for work in awaitables]
    won: list[tuple[int, Any]] = []
    errors: dict[int, Exception] = {}
    async with _Cancelling(tasks):
        while len(won) < k and len(errors) <= len(tasks) - k:
            seen = {index for index, _ in won} | errors.keys()
            pending = [task for index, task in enumerate(tasks) if index not in seen]
            await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for index, task in enumerate(tasks):
                if index in seen or not task.done():
                    continue
                error = task.exception()
                if isinstance(error, Exception):
                    errors[index] = error
                else:
                    won.append((index, task.result()))
    if len(won) < k:
        raise ExceptionGroup(
            f"a quorum of {k} is out of reach", [errors[index] for index in sorted(errors)]
        )
    return won[:k]


class _Cancelling:
    """On leaving, cancel what still runs and wait for its end."""

    def __init__(self, tasks: "Sequence[_Task] | Any") -> None:
        self._tasks: list[_Task] = list(tasks)

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, *_: object) -> None:
        pending = [task for task in self._tasks if not task.done()]
        for task in pending:
            task.cancel()
        if pending:
            await asyncio.wait(pending)


def _value_or_error(task: _Task) -> Any:
    if task.cancelled():
        return asyncio.CancelledError()
    error = task.exception()
    return task.result() if error is None else error
