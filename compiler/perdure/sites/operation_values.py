"""Operations that are values: `undo.append(lambda: cancel(seat))`, then `await undo[0]()`.

Comes in: the value, as pure code of the flow made it. Goes out: what awaiting it asks for, with its
call site, which only the value knows.
"""

from collections.abc import Mapping
from typing import Any

from perdure.language import Step, with_policy
from perdure.runtime.engine import Operation, StepCall
from perdure.runtime.lazy import Lazy
from perdure.runtime.scope import Scope
from perdure.runtime.site import Site
from perdure.runtime.values import encode_arguments
from perdure.sites import Call

__all__ = ["flow_of", "operands_of", "site_of", "step_of"]


def site_of(value: Lazy[object]) -> Site:
    """Where the operation is written."""
    site: Any = value.what[1]
    return Site(*site)


def step_of(value: Lazy[object], scope: Scope) -> StepCall:
    """The step that the value is; what its await raises before it begins is raised."""
    what: Any = value.taken().what
    if what[:1] != ("step",):
        raise NotImplementedError(f"a value that is no step: {value!r}")
    _, _, step, policy, arguments = what
    made: Step[..., Any] = with_policy(step, policy)
    site = site_of(value)
    op = Operation(scope.enter(site.label), site, scope)
    return StepCall(op, made, made.name, encode_arguments(made, arguments))


def flow_of(value: Lazy[object]) -> Call:
    """The child flow that the value is, with its arguments."""
    taken: Any = value.taken()
    _, _, flow, _, arguments = taken.what
    return Call(flow, (), dict(arguments))


def operands_of(value: Lazy[object]) -> Mapping[str, object]:
    """The operands of the event or sleep that the value is, as they would be written."""
    match value.what:
        case ("event", _, name, kind, timeout):
            return {"name": name, "type": kind, "timeout": timeout}
        case ("sleep", _, delay, _, until):
            given: dict[str, object] = {"duration": delay, "until": until}
            return {name: one for name, one in given.items() if one is not None} or given
        case _:
            raise NotImplementedError(f"a value that is no wait: {value!r}")
