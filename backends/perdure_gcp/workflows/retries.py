"""A retry's policy. https://cloud.google.com/workflows/docs/reference/syntax/retrying"""

from typing import final

from perdure_gcp.workflows.library import holds_for
from perdure_gcp.workflows.problems import Doubts, failure
from perdure_gcp.workflows.signatures import PREDICATES
from perdure_gcp.workflows.values import Function, Value, is_number, type_name

__all__ = ["Policy"]


@final
class Policy:
    """When to try again, how often, and how long to wait before."""

    def __init__(self, value: Value, doubts: Doubts) -> None:
        if not isinstance(value, dict):
            raise failure("TypeError", f"a retry is a map, not {type_name(value)}")
        for name in value:
            if name not in ("predicate", "max_retries", "backoff"):
                doubts.about("retry-numbers", f"`{name}` in a retry")
        self.predicate = _predicate(value.get("predicate"), doubts)
        self.most = _count(value.get("max_retries"), doubts)
        backoff = value.get("backoff", {})
        if not isinstance(backoff, dict):
            raise failure("TypeError", "`backoff` is a map")
        self._first = _number(backoff, "initial_delay", 1.0, doubts)
        self._longest = _number(backoff, "max_delay", 60.0, doubts)
        self._factor = _number(backoff, "multiplier", 1.25, doubts)

    def of_library(self, error: Value) -> bool | None:
        """What a predicate of the library says; None when it is a subworkflow."""
        return holds_for(self.predicate, error) if self.predicate in PREDICATES else None

    def delay(self, attempt: int) -> float:
        """Seconds before the attempt after so many retries."""
        return min(self._first * self._factor**attempt, self._longest)


def _predicate(value: Value, doubts: Doubts) -> str:
    if isinstance(value, Function):
        return value.name
    if value is None:
        doubts.about("predicate", "a retry without a predicate")
        return "http.default_retry_predicate"
    raise failure("TypeError", f"a predicate is a subworkflow, not {type_name(value)}")


def _count(value: Value, doubts: Doubts) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    doubts.about("retry-numbers", f"max_retries of {value!r}")
    return int(value) if isinstance(value, float | int) else 5


def _number(backoff: dict[str, Value], name: str, instead: float, doubts: Doubts) -> float:
    value = backoff.get(name)
    if isinstance(value, int | float) and is_number(value) and value >= 0:
        return value
    doubts.about("retry-numbers", f"{name} of {value!r}")
    return instead
