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


_Q: Final = "https://cloud.google.com/workflows/quotas"
_DOCS: Final = "https://cloud.google.com/workflows/docs/"

LIMITS: Final = (
    Limit("source_bytes", 131_072, "bytes", _Q),
    Limit("expression_characters", 400, "characters", _Q),
    Limit("assignments", 50, "assignments in a step", _Q),
    Limit("conditions", 50, "conditions in a switch", _Q),
    Limit("call_depth", 20, "calls", _Q),
    Limit("steps", 100_000, "steps executed", _Q),
    Limit("branches", 10, "branches in a parallel step", _Q),
    Limit("parallel_depth", 2, "parallel steps in one another", _Q),
    Limit("concurrent_branches", 20, "branches and iterations at once", _Q),
    Limit("memory_bytes", 524_288, "bytes of variables, arguments and events", _Q),
    Limit("text_bytes", 262_144, "bytes of one text", _Q),
    Limit("response_bytes", 2_097_152, "bytes of an HTTP response", _Q),
    Limit("argument_bytes", 32_768, "bytes of an execution's argument",
          "https://workflowexecutions.googleapis.com/$discovery/rest?version=v1 (20261020)"),
    Limit("execution_seconds", 31_536_000, "seconds", _Q),
    Limit("sleep_seconds", 31_536_000, "seconds", _DOCS + "reference/stdlib/sys/sleep"),
    Limit("http_seconds", 1_800, "seconds", _DOCS + "http-requests"),
    Limit("http_default_seconds", 300, "seconds", _DOCS + "http-requests"),
    Limit("callback_default_seconds", 43_200, "seconds",
          _DOCS + "reference/stdlib/events/await_callback"),
    Limit("main_parameters", 1, "parameters of main", _DOCS + "reference/syntax/subworkflows"),
    Limit("parameters", 10, "parameters of a subworkflow",
          "https://json.schemastore.org/workflows.json"),
)  # fmt: skip


def value_of(name: str) -> int:
    """The value of the limit of that name."""
    return next(row.value for row in LIMITS if row.name == name)
