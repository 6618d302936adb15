"""perdure on Google Cloud: Workflows, with one Cloud Run function for the sites."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from perdure_gcp.target import GcpTarget

    backend: GcpTarget

__all__ = ["backend"]


def __getattr__(name: str) -> object:
    """The target, loaded when it is asked for: the sites need the handler alone."""
    if name == "backend":
        from perdure_gcp.target import GcpTarget

        return GcpTarget()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
