"""One operation from its start to its value: path, doomed branches, cancellation, decoding."""

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from perdure.runtime.engine import Operation, Outcome
from perdure.runtime.scope import Scope, current
from perdure.runtime.values import result_of

if TYPE_CHECKING:
    from perdure.runtime.site import Site

__all__ = ["begin", "cancelled_plainly", "outcome_value", "running_scope"]


def running_scope() -> Scope:
    """The scope of this task; RuntimeError outside a run."""
    scope = current.get()
    if scope is None:
        raise RuntimeError("this needs a durable run: use `perdure run FILE`")
    return scope


async def begin(site: "Site") -> Operation:
    """The operation that starts here. In a branch that is known to lose, only what is recorded
    starts again; anything else waits to be cancelled."""
    scope = running_scope()
    path = scope.enter(site.label)
    if scope.doomed and not scope.run.recorded(path):
        await asyncio.get_running_loop().create_future()
    return Operation(path, site, scope)


async def cancelled_plainly[R](work: Coroutine[Any, Any, R]) -> R:
    """Await an engine's primitive. The flow sees CancelledError without the engine's message."""
    try:
        return await work
    except asyncio.CancelledError as error:
        if not error.args:
            raise
        raise asyncio.CancelledError from None


async def outcome_value(op: Operation, work: Coroutine[Any, Any, Outcome]) -> object:
    """Await an engine's primitive and decode its outcome, or raise its error."""
    return result_of(await cancelled_plainly(work), op.scope.run.functions)
