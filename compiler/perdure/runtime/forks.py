"""gather, race and quorum, written once on asyncio for every engine that runs Python.

Comes in: a site and awaitables (operations or coroutines of helpers). Each becomes a branch.
Where asyncio leaves the order open, this picks: `gather` lets every branch end and raises the
error of the first failing one in argument order; what ends at the same instant of engine time
ends in the order of the arguments.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from perdure.operations import NO_BRANCHES
from perdure.runtime.branches import (
    Branch,
    cancel_all,
    first_end,
    give_back,
    is_returned,
    join,
    message_of,
    quorum_error,
)
from perdure.runtime.perform import running_scope
from perdure.runtime.scope import Scope
from perdure.runtime.site import Site

__all__ = ["gather", "quorum", "race"]


async def gather(
    site: Site,
    awaitables: Sequence[Awaitable[Any]],
    *,
    limit: int | None = None,
    return_exceptions: bool = False,
    fail_fast: bool = False,
) -> list[Any]:
    """Values in argument order. `limit`: so many branches run at once, started in order."""
    if limit is not None and limit < 1:
        raise ValueError("limit must be at least 1")
    if fail_fast and return_exceptions:
        raise ValueError("fail_fast and return_exceptions exclude each other")
    path = running_scope().enter(site.label)
    # asyncio runs an awaitable that is given twice once, and gives its value twice.
    distinct = list({id(work): work for work in awaitables}.values())
    branches = _branches(path, distinct)
    async with _fork(branches):
        if fail_fast:
            failure = await _all_or_first_failure(path, branches, limit)
            if failure is not None:
                failure.value()
        elif limit is None or limit >= len(branches):
            for branch in branches:
                branch.start()
            await join(branches)
        else:
            await _with_limit(branches, limit)
    place = {id(work): branch for work, branch in zip(distinct, branches, strict=True)}
    ordered = [place[id(work)] for work in awaitables]
    if return_exceptions:
        return [_value_or_error(branch) for branch in ordered]
    return [branch.value() for branch in _failures_first(ordered)] if branches else []


async def race(site: Site, awaitables: dict[str, Awaitable[Any]]) -> tuple[str, Any]:
    """(keyword, value) of the first branch to end, also by error; the rest is cancelled."""
    if not awaitables:
        raise ValueError(NO_BRANCHES)
    path = running_scope().enter(site.label)
    run = running_scope().run
    keys = list(awaitables)
    decided = run.decided(path)
    contestants = (
        Branch(
            index,
            _awaitable(work),
            running_scope().branch(path, key, doomed=decided not in (None, key)),
        )
        for index, (key, work) in enumerate(awaitables.items())
    )
    branches = _made(contestants, awaitables.values())
    async with _fork(branches):
        for branch in branches:
            branch.start()
        if decided is None:
            await first_end(branches)
        else:
            await join([branches[keys.index(str(decided))]])
        winner = str(
            run.decide(path, "race", lambda: keys[next(b.index for b in branches if b.ended)])
        )
        won = branches[keys.index(winner)]
        give_back(branch for branch in branches if branch is not won and branch.ended)
        await cancel_all([branch for branch in branches if branch is not won])
    return winner, won.value()


async def quorum(site: Site, k: int, awaitables: Sequence[Awaitable[Any]]) -> list[tuple[int, Any]]:
    """The first `k` to succeed, as (index, value) in order of ending; the rest is cancelled.

    When too many have failed: an ExceptionGroup of their errors, in argument order.
    """
    if not 1 <= k <= len(awaitables):
        raise ValueError(f"a quorum of {k} is out of reach with {len(awaitables)} branches")
    path = running_scope().enter(site.label)
    run = running_scope().run
    branches = _branches(path, awaitables)
    order: list[int] = []
    async with _fork(branches):
        for branch in branches:
            branch.start()
        decided = run.decided(path)
        if isinstance(decided, list):
            order = [int(str(index)) for index in decided]
            await join([branches[index] for index in order])
        while not _quorum_is_decided(k, branches, order):
            await first_end(branches)
            order.extend(b.index for b in branches if b.ended and b.index not in order)
        recorded = run.decide(path, "quorum", lambda: list(order))
        ended = [int(str(index)) for index in recorded] if isinstance(recorded, list) else order
        won = [index for index in ended if branches[index].succeeded][:k]
        losers = [branch for branch in branches if branch.index not in won]
        give_back(branch for branch in losers if branch.succeeded)
        await cancel_all(losers)
    if len(won) == k:
        return [(index, branches[index].value()) for index in won]
    failures = [branches[i] for i in sorted(ended) if not branches[i].succeeded]
    raise quorum_error(k, [_value_or_error(branch) for branch in failures])


def _quorum_is_decided(k: int, branches: Sequence[Branch], order: Sequence[int]) -> bool:
    succeeded = sum(branches[index].succeeded for index in order)
    return succeeded >= k or len(order) - succeeded > len(branches) - k


@asynccontextmanager
async def _fork(branches: Sequence[Branch]) -> AsyncGenerator[None]:
    """Around the wait of a fork: cancelled, it cancels its branches and waits for their end.

    Afterwards the events the branches took last count as taken last by the scope around it.
    """
    try:
        yield
    except asyncio.CancelledError as error:
        ended = [branch for branch in branches if branch.ended]
        await cancel_all(branches, message_of(error))
        give_back(ended)
        raise asyncio.CancelledError from None
    if branches:
        _scope_around().taken.extend(path for b in branches for path in b.scope.taken)


def _scope_around() -> Scope:
    return running_scope()


def _branches(path: str, awaitables: Sequence[Awaitable[Any]]) -> list[Branch]:
    scope = running_scope()
    branches = (
        Branch(index, _awaitable(work), scope.branch(path, index))
        for index, work in enumerate(awaitables)
    )
    return _made(branches, awaitables)


def _made(branches: Iterable[Branch], awaitables: Iterable[Awaitable[Any]]) -> list[Branch]:
    """All of them; where one cannot be made, all are given up."""
    made: list[Branch] = []
    try:
        made.extend(branches)
    except BaseException:
        for work in (*awaitables, *(branch.work for branch in made)):
            close = getattr(work, "close", None)
            if close is not None:
                close()
        raise
    return made


def _awaitable(work: Awaitable[Any]) -> Awaitable[Any]:
    if not hasattr(work, "__await__"):
        raise TypeError("An asyncio.Future, a coroutine or an awaitable is required")
    return work


async def _with_limit(branches: Sequence[Branch], limit: int) -> None:
    waiting = list(reversed(branches))
    while waiting:
        free = limit - sum(b.task is not None and not b.ended for b in branches)
        for _ in range(min(free, len(waiting))):
            waiting.pop().start()
        if waiting:
            await first_end(branches)
    await join(branches)


async def _all_or_first_failure(
    path: str, branches: Sequence[Branch], limit: int | None
) -> Branch | None:
    """Start all (by `limit`); at the first failure cancel the rest, and say which it was."""
    run = running_scope().run
    waiting = list(reversed(branches))
    while any(not branch.ended for branch in branches):
        free = (limit or len(branches)) - sum(b.task is not None and not b.ended for b in branches)
        for _ in range(min(free, len(waiting))):
            waiting.pop().start()
        await first_end(branches)
        failing = [b.index for b in branches if b.ended and not b.succeeded]
        if failing:
            first = run.decide(path, "fail_fast", lambda: failing[0])  # noqa: B023  # called at once
            await join([branches[int(str(first))]])
            await cancel_all(branches)
            return branches[int(str(first))]
    return None


def _failures_first(branches: Sequence[Branch]) -> Sequence[Branch]:
    """The branches as they are; raises the first error in argument order.

    An error decides before a cancellation does: branches that `fail_fast` cancelled stand for
    nothing, and one that raised CancelledError by itself is alone with that.
    """
    for branch in branches:
        if branch.outcome is not None and not branch.succeeded:
            branch.value()
    return branches


def _value_or_error(branch: Branch) -> Any:
    try:
        return branch.value()
    except BaseException as error:
        if not is_returned(error):
            raise
        return error
