"""The engine that `perdure.testing.run(target="gcp")` uses: Workflows as documented, strict."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from perdure.testing.request import Request, Result

__all__ = ["ENGINES", "EXTRA", "NEEDS", "run_flow"]

ENGINES = ("workflows",)
NEEDS = ("yaml",)
EXTRA = "perdure[gcp-test]"


def run_flow(request: "Request") -> "Result":
    """Compile the flow of the request and run what was emitted."""
    from perdure_gcp.engine.flows import run_flow

    return run_flow(request)
