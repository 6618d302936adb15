"""What a definition must know of a step's policy before anything runs.

The policy itself is applied by the site, from the real `Step` object. The definition needs only
an upper bound for one attempt (the engine's own timeout is the safety net, with a margin) and
whether a step may retry.
"""

import ast
import math
from collections.abc import Iterable, Mapping

from perdure.durations import seconds_of
from perdure.ir import Argument, Expr, Op, OpKind, Ref, StepInfo

__all__ = ["MARGIN", "Policies", "literal_limit"]

DEFAULT_TIMEOUT = 600
"""Seconds of a step that names no timeout (the language's default, on every target)."""
MARGIN = 30
"""Seconds that the engine waits longer than the site, which ends the step itself."""


class Policies:
    """Timeouts and retries of the steps of one program."""

    def __init__(
        self, steps: Iterable[StepInfo], retried: Iterable[Ref] = (), *, invocation: int
    ) -> None:
        """`retried`: flows tried again as a unit; `invocation`: seconds of one, at most."""
        self._invocation = invocation
        self._steps: Mapping[Ref, StepInfo] = {step.ref: step for step in steps}
        self._retried = frozenset(retried)

    def timeout(self, op: Op) -> int:
        """Seconds after which the engine gives one attempt up."""
        found = [self._timeout(ref, op) for ref in op.candidates] or [DEFAULT_TIMEOUT]
        return min(max(found), self._invocation) + MARGIN

    def longest(self, op: Op) -> int:
        """Seconds that one attempt may take by its policy, as far as the source tells."""
        return max((self._timeout(ref, op) for ref in op.candidates), default=0)

    def may_retry(self, op: Op) -> bool:
        """Whether some attempt after the first is possible."""
        if not self._retried.isdisjoint(op.candidates):
            return True
        if op.kind not in (OpKind.STEP, OpKind.TABLE, OpKind.VALUE):
            return False
        if any(option.name == "retry" or option.star for option in op.options):
            return True
        return any(self._decorated(ref, "retry") is not None for ref in op.candidates)

    def group(self, op: Op) -> str | None:
        """The group all candidates share; its function runs the site."""
        groups = {step.group for ref in op.candidates if (step := self._steps.get(ref))}
        return groups.pop() if len(groups) == 1 else None

    def _timeout(self, ref: Ref, op: Op) -> int:
        written = _named(op.options, "timeout") or self._decorated(ref, "timeout")
        if written is None:
            return DEFAULT_TIMEOUT
        value = _constant(written)
        return self._invocation if value is None else value

    def _decorated(self, ref: Ref, name: str) -> Expr | None:
        step = self._steps.get(ref)
        if step is None or not isinstance(step.decorator, ast.Call):
            return None
        return next((k.value for k in step.decorator.keywords if k.arg == name), None)


def _named(options: Iterable[Argument], name: str) -> Expr | None:
    return next((option.value for option in options if option.name == name), None)


def _constant(written: Expr) -> int | None:
    """Whole seconds of a literal duration, rounded up; None for what only run time knows."""
    match written:
        case ast.Constant(value=str() | int() | float() as value):
            return math.ceil(seconds_of(value))
        case _:
            return None


def literal_limit(op: Op) -> float | None:
    """Seconds after which a contestant of a wait is over, where it is a literal; None without one.

    `timeout` of an event, `duration` of a sleep.
    """
    for argument in op.arguments:
        if argument.name in ("timeout", "duration") and isinstance(argument.value, ast.Constant):
            value = argument.value.value
            if isinstance(value, str | int | float):
                return seconds_of(value)
    return None
