"""perdure on Azure: Durable Functions, with the flow as one readable function."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from perdure_azure.target import AzureTarget

    backend: AzureTarget

__all__ = ["backend"]


def __getattr__(name: str) -> object:
    """The target, loaded when it is asked for: an app needs the runtime alone."""
    if name == "backend":
        from perdure_azure.target import AzureTarget

        return AzureTarget()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
