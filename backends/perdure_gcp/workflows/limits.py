"""Every documented limit of Workflows that this project knows: one table.

The checker and the engine enforce it, the compiler keeps below it. `Q` is
https://cloud.google.com/workflows/quotas
"""

from typing import Final, NamedTuple, final

__all__ = ["LIMITS", "Limit", "value_of"]


@final
class Limit(NamedTuple):
    """One row."""

    name: str
    value: int
    unit: str
    source: str
    remedy: str
    """What the compiler does about it."""


_Q: Final = "https://cloud.google.com/workflows/quotas"
_DOCS: Final = "https://cloud.google.com/workflows/docs/"

LIMITS: Final = (
    Limit("source_bytes", 131_072, "bytes", _Q,
          "the output is linear in the source; a larger one is refused with its size"),
    Limit("expression_characters", 400, "characters", _Q,
          "expressions are members of answers and comparisons with short keys"),
    Limit("assignments", 50, "assignments in a step", _Q,
          "no step has more than two"),
    Limit("conditions", 50, "conditions in a switch", _Q,
          "long switches are split"),
    Limit("call_depth", 20, "calls", _Q,
          "a site is at most four calls deep"),
    Limit("steps", 100_000, "steps executed", _Q,
          "at the head of a loop a run goes on in another execution, at half of them"),
    Limit("branches", 10, "branches in a parallel step", _Q,
          "forks are loops over their branches"),
    Limit("parallel_depth", 2, "parallel steps in one another", _Q,
          "branches of deeper forks are executions of their own"),
    Limit("concurrent_branches", 20, "branches and iterations at once", _Q,
          "where more branches wait, they are executions of their own"),
    Limit("memory_bytes", 524_288, "bytes of variables, arguments and events", _Q,
          "long states lie in the run store"),
    Limit("text_bytes", 262_144, "bytes of one text", _Q,
          "long states lie in the run store"),
    Limit("response_bytes", 2_097_152, "bytes of an HTTP response", _Q,
          "answers are bounded by the limit of variables"),
    Limit("argument_bytes", 32_768, "bytes of an execution's argument",
          "https://workflowexecutions.googleapis.com/$discovery/rest?version=v1 (20261020)",
          "a child's input lies in its record, any other long one in the run store"),
    Limit("execution_seconds", 31_536_000, "seconds", _Q,
          "at the head of a loop a run goes on in another execution, after 90 days"),
    Limit("sleep_seconds", 31_536_000, "seconds", _DOCS + "reference/stdlib/sys/sleep",
          "a longer wait is refused; where only a run knows, as execution_seconds"),
    Limit("http_seconds", 1_800, "seconds", _DOCS + "http-requests",
          "a longer step is refused"),
    Limit("http_default_seconds", 300, "seconds", _DOCS + "http-requests",
          "every request names its timeout"),
    Limit("callback_default_seconds", 43_200, "seconds",
          _DOCS + "reference/stdlib/events/await_callback",
          "every wait names its timeout"),
    Limit("main_parameters", 1, "parameters of main", _DOCS + "reference/syntax/subworkflows",
          "main has one"),
    Limit("parameters", 10, "parameters of a subworkflow",
          "https://json.schemastore.org/workflows.json",
          "the routines have five at most"),
)  # fmt: skip


def value_of(name: str) -> int:
    """The value of the limit of that name."""
    return next(row.value for row in LIMITS if row.name == name)
