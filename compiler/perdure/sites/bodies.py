"""User code of a bundle: the flow by its name, one attempt of a step under its timeout."""

import asyncio
from importlib import import_module
from typing import TypeGuard

from perdure.language import Flow
from perdure.runtime import bodies as runtime
from perdure.runtime.bodies import Attempted
from perdure.sites.operations import Attempt

__all__ = ["flow_named", "timed_attempt"]


def flow_named(ref: str) -> Flow[..., object]:
    """The flow `module:qualname`, its module imported."""
    module, _, qualname = ref.partition(":")
    found: object = import_module(module)
    for part in qualname.split("."):
        found = getattr(found, part)
    if not _is_flow(found):
        raise TypeError(f"{ref} is no flow")
    return found


async def timed_attempt(attempt: Attempt) -> Attempted | None:
    """One attempt of a step's own body, ended with TimeoutError at the step's timeout.

    None: it was ended by a deadline of the flow, before which the run was not cancelled.
    """
    left = None if attempt.until is None else max(0.0, attempt.until - attempt.now)
    overtaken = left is not None and left < attempt.step.timeout
    step = attempt.step
    work = runtime.timed_attempt(step, attempt.arguments, attempt.this, step.timeout)
    if not overtaken:
        return await work
    body = asyncio.ensure_future(work)
    await asyncio.wait([body], timeout=left)
    if not body.done() and not attempt.is_cancelled():
        body.cancel()
        await asyncio.wait([body])
        return None
    return await body


def _is_flow(value: object) -> TypeGuard[Flow[..., object]]:
    return isinstance(value, Flow)
