"""Running user code: one attempt of a step, or the body of a flow, from arguments to outcome."""

import asyncio
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple

from perdure.codec.text import Json
from perdure.operations import ThisStep
from perdure.runtime.engine import Failed, Outcome
from perdure.runtime.frames import make_room
from perdure.runtime.masking import masked
from perdure.runtime.scope import Scope, current
from perdure.runtime.usage import Usage, added, spent_here
from perdure.runtime.values import completed, decode_arguments, failed, result_type

if TYPE_CHECKING:
    from perdure.language import Flow, Step
    from perdure.runtime.engine import Run

__all__ = [
    "Attempted",
    "as_a_coroutine_does",
    "current_step",
    "ended_with",
    "raised",
    "run_attempt",
    "run_flow",
    "timed_attempt",
]

current_step: ContextVar[ThisStep | None] = ContextVar("perdure.step", default=None)


class Attempted(NamedTuple):
    """How an attempt ended. `error`: what the retry policy looks at, None if it is final.

    A result that cannot cross is final: the step ran, and is not run again.
    """

    outcome: Outcome
    error: BaseException | None = None
    usage: tuple[Usage, ...] = ()
    """What it reported to have spent."""

    def at_the_border(self) -> "Attempted":
        """As it leaves its process: with what was reported to be spent, and without secrets."""
        outcome = _without_secrets(self.outcome)
        error = self.error if isinstance(outcome, Failed) else None
        return Attempted(outcome, error, added(spent_here.get() or ()))


def _without_secrets(outcome: Outcome) -> Outcome:
    """A secret never enters state: one in a result is a TypeError, one in an error is masked."""
    if isinstance(outcome, Failed):
        return Failed(masked(outcome.error))
    if masked(outcome.value) == outcome.value:
        return outcome
    return failed(TypeError("the result holds a secret, which never enters state"))


async def run_attempt(
    step: "Step[..., Any]", arguments: Mapping[str, Json], this: ThisStep
) -> Attempted:
    """One attempt in the running loop: fresh arguments, the function, its value encoded.

    Whatever the body raises is how the attempt ended, SystemExit and KeyboardInterrupt too: a step
    does not end the process it happens to run in. Cancellation passes through; the caller owns the
    timeout.
    """
    current.set(None)
    current_step.set(this)
    spent_here.set([])
    try:
        bound = decode_arguments(step, arguments)
        value: Any = step.__wrapped__(*bound.args, **bound.kwargs)
        if hasattr(value, "__await__"):
            value = await value
    except asyncio.CancelledError:
        raise
    except BaseException as error:
        return raised(as_a_coroutine_does(error)).at_the_border()
    return ended_with(step, value).at_the_border()


async def timed_attempt(
    step: "Step[..., Any]", arguments: Mapping[str, Json], this: ThisStep, timeout: float
) -> Attempted:
    """One attempt, ended with TimeoutError('') at its timeout. Cancellation passes through.

    A body that swallowed the cancellation, or held the loop up, is late all the same.
    """
    try:
        async with asyncio.timeout(timeout) as limit:
            attempted = await run_attempt(step, arguments, this)
    except TimeoutError:
        return raised(TimeoutError()).at_the_border()
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        return raised(error).at_the_border()  # nobody cancelled it: the body raised it
    ends = limit.when()
    late = ends is not None and asyncio.get_running_loop().time() > ends
    return raised(TimeoutError()).at_the_border() if late or limit.expired() else attempted


def as_a_coroutine_does(error: BaseException) -> BaseException:
    """What is seen of an error that leaves a coroutine: StopIteration must not look like an end."""
    if not isinstance(error, StopIteration):
        return error
    wrapped = RuntimeError("coroutine raised StopIteration")
    wrapped.__cause__ = error
    return wrapped


def raised(error: BaseException) -> Attempted:
    """The attempt raised."""
    return Attempted(failed(error), error)


def ended_with(step: "Step[..., Any]", value: object) -> Attempted:
    """The attempt returned `value`, converted to the declared type of its result."""
    try:
        return Attempted(completed(value, result_type(step)))
    except (TypeError, ValueError) as error:
        return Attempted(failed(error))


async def run_flow(
    flow: "Flow[..., Any]",
    arguments: Mapping[str, Json],
    run: "Run",
    path: str = "",
    *,
    raised: Callable[[BaseException], None] | None = None,
) -> Outcome:
    """The body of a flow in a scope of its own. Cancellation passes through.

    `raised` is told of the error that the body ends with, while it has its traceback.
    """
    make_room()
    current.set(Scope(run, path))
    current_step.set(None)
    try:
        bound = decode_arguments(flow, arguments, run.functions)
        value = await flow.__wrapped__(*bound.args, **bound.kwargs)
    except asyncio.CancelledError:
        raise
    except BaseException as error:
        if raised is not None:
            raised(error)
        return failed(error)
    try:
        return completed(value, result_type(flow), run.functions)
    except (TypeError, ValueError) as error:
        return failed(error)
