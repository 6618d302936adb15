"""Operations that are values: `undo.append(lambda: cancel(seat))`, then `await undo[0]()`.

Comes in: the value, as pure code of the flow made it. Goes out: the step that awaiting it asks for,
with its path and its call site, which only the value knows.
"""

import types
from collections.abc import Generator

from perdure.runtime.engine import Outcome, StepCall
from perdure.runtime.lazy import Lazy

__all__ = ["asked", "step_of"]


@types.coroutine
def asked(call: StepCall) -> Generator[StepCall, None, Outcome]:
    """Where the engine would perform the step: it is handed out instead."""
    yield call
    raise AssertionError("the site performs the step, not the value")


def step_of(value: Lazy[object]) -> StepCall:
    """The step that the value is; what its await raises before that is raised."""
    work = value.__await__()
    try:
        call: object = next(work)
    finally:
        work.close()
    if not isinstance(call, StepCall):
        raise NotImplementedError(f"a value that is no step: {value!r}")
    return call
