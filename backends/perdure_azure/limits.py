"""Every documented limit of Durable Functions that this project knows: one table."""

from typing import Final

from perdure.backend import Limit, Limits

__all__ = ["LIMITS"]

LIMITS: Final[Limits] = {
    "message_bytes": Limit(
        1_048_576,
        "bytes",
        "Durable Task Scheduler, message size (DOCS 2026-03-14)",
        "keep large values in a store and pass a reference",
    ),
    "orchestration_actions": Limit(
        100_000,
        "actions per episode",
        "host.json maxOrchestrationActions (DOCS durable-functions-bindings)",
        "gather in groups, or move a part into a flow of its own",
    ),
    "python_minor": Limit(
        13,
        "minor version of Python 3",
        "azure-functions-durable 2.0.0rc3, Requires-Python (PyPI 2026-11)",
        'pin python = "3.13" or newer',
    ),
    "custom_status_bytes": Limit(
        16_384,
        "bytes of UTF-16",
        "Durable Functions custom status (DOCS)",
        "publish short progress values",
    ),
}
