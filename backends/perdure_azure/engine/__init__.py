"""Runs compiled flows in virtual time, for tests.

`memory` is Microsoft's in-memory backend with SDK 2; `classic` a model of the host that speaks the
classic protocol, with SDK 1.
"""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from perdure_azure.engine.runner import run_flow

__all__ = ["ENGINES", "EXTRA", "NEEDS", "OLDEST_PYTHON", "run_flow"]

ENGINES: Final = ("memory", "classic")
"""What `perdure.testing.run(engine=)` may name."""
EXTRA: Final = "perdure[azure-test]"
NEEDS: Final = ("durabletask", "azure.functions", "azure.durable_functions")
"""Modules that the extra installs, and nothing runs without."""
OLDEST_PYTHON: Final = (3, 13)
"""What the SDK needs."""


def __getattr__(name: str) -> object:
    """The engine needs Microsoft's packages, which only tests install."""
    if name == "run_flow":
        from perdure_azure.engine.runner import run_flow

        return run_flow
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
