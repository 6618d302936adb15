"""The durable operations as users import them, typed; and what they mean without an engine.

In a run the front end has replaced them by `perdure.runtime.calls`. Called otherwise (a flow
under plain asyncio, code around a flow) they are asyncio's own.
"""

from collections.abc import Awaitable, Coroutine
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, overload

from perdure.durations import seconds_of

if TYPE_CHECKING:
    from datetime import datetime

    from perdure.durations import Duration

__all__ = [
    "Handle",
    "ThisRun",
    "ThisStep",
    "event",
    "gather",
    "progress",
    "quorum",
    "race",
    "reply",
    "sleep",
    "this_run",
    "this_step",
]


class Handle[R](NamedTuple):
    """A run, by its id: a value that may cross like any other."""

    id: str
    on: str | None = None

    async def result(self) -> R:
        """Wait for the end; the result, or the run's error raised."""
        from perdure.runtime.clients import connect
        from perdure.runtime.values import result_of

        value: R = result_of(await connect(self.on).result(self.id))  # type: ignore[assignment]  # what its flow returns
        return value

    async def send(self, event: str, payload: object = None) -> None:
        """Store an event for the run, whether or not it waits for one yet."""
        from perdure.codec import encode
        from perdure.runtime.clients import connect

        await connect(self.on).send(self.id, event, encode(payload))

    async def ask(self, event: str, payload: object = None) -> Any:  # what the flow replies
        """Store an event and wait for the flow's `reply`."""
        from perdure.codec import encode
        from perdure.runtime.clients import connect
        from perdure.runtime.values import result_of

        return result_of(await connect(self.on).ask(self.id, event, encode(payload)))

    async def cancel(self) -> None:
        """Ask the run to cancel: it gets a CancelledError where it waits."""
        from perdure.runtime.clients import connect

        await connect(self.on).cancel(self.id)


class ThisStep(NamedTuple):
    """The attempt that runs: `key` is the same for every attempt of one operation."""

    key: str
    attempt: int
    deadline: "datetime"
    run_id: str

    def usage(
        self,
        *,
        input_tokens: int = 0,
        output_tokens: int = 0,
        cost: float = 0.0,
        model: str | None = None,
    ) -> None:
        """Report what the attempt spent; reports add up, over all attempts of the operation.

        It is recorded with the operation, and shown in the tree of the run with its totals.
        """
        from perdure.runtime.usage import spent_here, usage_of

        report = usage_of(input_tokens, output_tokens, cost, model)
        spent = spent_here.get()
        if spent is None:
            raise RuntimeError("usage() is for the body of a step in a durable run")
        spent.append(report)


class ThisRun(NamedTuple):
    """The run that runs."""

    id: str


@overload
def event(name: str, *, timeout: "Duration | None" = None) -> Coroutine[object, object, Any]: ...
@overload
def event[T](
    name: str,
    type: type[T],
    timeout: "Duration | None" = None,
) -> Coroutine[object, object, T]: ...
@overload
def event(
    name: str,
    type: object = None,
    timeout: "Duration | None" = None,
) -> Coroutine[object, object, Any]: ...
def event(
    name: str,
    type: object = None,
    timeout: "Duration | None" = None,
) -> Coroutine[object, object, Any]:
    """Take the oldest event of a name; TimeoutError when none comes in time."""
    return _no_event(name)


async def _no_event(name: str) -> Any:
    raise RuntimeError(
        f"event({name!r}) needs a durable run that somebody can send to: use `perdure run FILE`"
    )


async def sleep(duration: "Duration | None" = None, *, until: "datetime | None" = None) -> None:
    """Sleep for a duration, or until a moment."""
    import asyncio
    import time

    if (duration is None) == (until is None):
        raise TypeError("sleep() takes a duration or until=, one of them")
    if until is not None:
        await asyncio.sleep(max(0.0, epoch_of(until) - time.time()))
    else:
        await asyncio.sleep(seconds_of(duration))


NO_BRANCHES = "race() needs at least one branch"


# As asyncio's own in typeshed, with the same overlaps: a checker takes the first that fits.
@overload
def gather[A](  # type: ignore[overload-overlap]  # see above
    a: Awaitable[A],
    /,
    *,
    limit: int | None = None,
    return_exceptions: Literal[False] = False,
    fail_fast: bool = False,
) -> Coroutine[object, object, tuple[A]]: ...
@overload
def gather[A, B](  # type: ignore[overload-overlap]  # see above
    a: Awaitable[A],
    b: Awaitable[B],
    /,
    *,
    limit: int | None = None,
    return_exceptions: Literal[False] = False,
    fail_fast: bool = False,
) -> Coroutine[object, object, tuple[A, B]]: ...
@overload
def gather[A, B, C](  # type: ignore[overload-overlap]  # see above
    a: Awaitable[A],
    b: Awaitable[B],
    c: Awaitable[C],
    /,
    *,
    limit: int | None = None,
    return_exceptions: Literal[False] = False,
    fail_fast: bool = False,
) -> Coroutine[object, object, tuple[A, B, C]]: ...
@overload
def gather[A, B, C, D](  # type: ignore[overload-overlap]  # see above
    a: Awaitable[A],
    b: Awaitable[B],
    c: Awaitable[C],
    d: Awaitable[D],
    /,
    *,
    limit: int | None = None,
    return_exceptions: Literal[False] = False,
    fail_fast: bool = False,
) -> Coroutine[object, object, tuple[A, B, C, D]]: ...
@overload
def gather[A, B, C, D, E](  # type: ignore[overload-overlap]  # see above
    a: Awaitable[A],
    b: Awaitable[B],
    c: Awaitable[C],
    d: Awaitable[D],
    e: Awaitable[E],
    /,
    *,
    limit: int | None = None,
    return_exceptions: Literal[False] = False,
    fail_fast: bool = False,
) -> Coroutine[object, object, tuple[A, B, C, D, E]]: ...
@overload
def gather[T](  # type: ignore[overload-overlap]  # see above
    *awaitables: Awaitable[T],
    limit: int | None = None,
    return_exceptions: Literal[False] = False,
    fail_fast: bool = False,
) -> Coroutine[object, object, list[T]]: ...
@overload
def gather[A](  # pyright: ignore[reportOverlappingOverload]  # see above
    a: Awaitable[A],
    /,
    *,
    limit: int | None = None,
    return_exceptions: bool,
    fail_fast: bool = False,
) -> Coroutine[object, object, tuple[A | BaseException]]: ...
@overload
def gather[A, B](
    a: Awaitable[A],
    b: Awaitable[B],
    /,
    *,
    limit: int | None = None,
    return_exceptions: bool,
    fail_fast: bool = False,
) -> Coroutine[object, object, tuple[A | BaseException, B | BaseException]]: ...
@overload
def gather[A, B, C](
    a: Awaitable[A],
    b: Awaitable[B],
    c: Awaitable[C],
    /,
    *,
    limit: int | None = None,
    return_exceptions: bool,
    fail_fast: bool = False,
) -> Coroutine[object, object, tuple[A | BaseException, B | BaseException, C | BaseException]]: ...
@overload
def gather[A, B, C, D](
    a: Awaitable[A],
    b: Awaitable[B],
    c: Awaitable[C],
    d: Awaitable[D],
    /,
    *,
    limit: int | None = None,
    return_exceptions: bool,
    fail_fast: bool = False,
) -> Coroutine[
    object,
    object,
    tuple[A | BaseException, B | BaseException, C | BaseException, D | BaseException],
]: ...
@overload
def gather[A, B, C, D, E](
    a: Awaitable[A],
    b: Awaitable[B],
    c: Awaitable[C],
    d: Awaitable[D],
    e: Awaitable[E],
    /,
    *,
    limit: int | None = None,
    return_exceptions: bool,
    fail_fast: bool = False,
) -> Coroutine[
    object,
    object,
    tuple[
        A | BaseException,
        B | BaseException,
        C | BaseException,
        D | BaseException,
        E | BaseException,
    ],
]: ...
@overload
def gather[T](
    *awaitables: Awaitable[T],
    limit: int | None = None,
    return_exceptions: bool,
    fail_fast: bool = False,
) -> Coroutine[object, object, list[T | BaseException]]: ...
def gather(
    *awaitables: Awaitable[Any],
    limit: int | None = None,
    return_exceptions: bool = False,
    fail_fast: bool = False,
) -> Coroutine[object, object, Any]:
    """Run branches in parallel; their values in argument order.

    Every branch ends, then the error of the first failing one is raised. `limit`: so many run
    at once. `fail_fast`: the first failure cancels the rest. `return_exceptions`: as asyncio.
    """
    from perdure.plain import gather as plain

    return plain(awaitables, limit=limit, return_exceptions=return_exceptions, fail_fast=fail_fast)


def race[T](**awaitables: Awaitable[T]) -> Coroutine[object, object, tuple[str, T]]:
    """(keyword, value) of the first branch to end, also by error; the rest is cancelled."""
    from perdure.plain import race as plain

    return plain(awaitables)


def quorum[T](k: int, *awaitables: Awaitable[T]) -> Coroutine[object, object, list[tuple[int, T]]]:
    """The first `k` to succeed, as (index, value) in order of ending; the rest is cancelled.

    An ExceptionGroup of the errors when `k` can no longer be reached.
    """
    from perdure.plain import quorum as plain

    return plain(k, awaitables)


async def progress(value: object) -> None:
    """Publish what the run is at, for `perdure show` and the consoles."""


async def reply(name: str, value: object) -> None:
    """Answer the oldest unanswered message this scope took under `name`."""
    raise RuntimeError(f"reply({name!r}) needs a durable run: use `perdure run FILE`")


def this_step() -> ThisStep:
    """The attempt that runs; RuntimeError outside a step of a run."""
    from perdure.runtime.bodies import current_step

    found = current_step.get()
    if found is None:
        raise RuntimeError("this_step() is for the body of a step in a durable run")
    return found


def this_run() -> ThisRun:
    """The run that runs; RuntimeError outside one."""
    from perdure.runtime.bodies import current_step
    from perdure.runtime.scope import current

    scope, step = current.get(), current_step.get()
    if scope is None and step is None:
        raise RuntimeError("this_run() is for a flow in a durable run: use `perdure run FILE`")
    return ThisRun(scope.run.id if scope is not None else step.run_id if step is not None else "")


def epoch_of(moment: "datetime") -> float:
    """Seconds since the epoch; a naive moment is UTC, the zone of every flow."""
    from datetime import UTC

    return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).timestamp()
