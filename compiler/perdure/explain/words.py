"""What targets say alike of the states of a machine: the same reason has the same words."""

from typing import Final

from perdure.explain.graph import Inside
from perdure.ir import OpKind
from perdure.machine.ir import Route, Sleep

__all__ = ["WORK", "is_plain_sleep", "rides_in", "why_alone"]

WORK: Final = frozenset({OpKind.STEP, OpKind.TABLE, OpKind.VALUE})
"""What has a body that is the user's Python."""


def rides_in(names: tuple[str, ...]) -> str:
    """Where pure code runs that rides with these states."""
    return f"in {' or '.join(f'`{name}`' for name in names)}"


def why_alone(inside: Inside, state: Route) -> str:
    """Why a site stands alone."""
    if state.target is not None:
        return "a loop without operations, which Python runs at once"
    start = inside.scope.start
    if start is not None and start.to == state.name:
        return "Python comes before the first thing that the engine does"
    return "Python comes between two things that the engine does"


def is_plain_sleep(inside: Inside, state: Sleep) -> bool:
    """Whether nothing of the flow would see its cancel, so that the engine's own wait is enough."""
    return inside.is_root and not inside.is_guarded(state.on_error)
