"""`perdure package|plan|deploy|rollback|status|destroy` and the runs of an environment, on Google
Cloud.

Plain REST with google-auth, by the credentials that it finds (Application Default Credentials).
Reads artifacts, never the IR. What is made is noted in the run store before it is made, so any
verb can be interrupted at any request, and repeated.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from perdure.deployment import Deployer

    deployer: Deployer

__all__ = ["deployer"]


def __getattr__(name: str) -> object:
    """The deployer, loaded when it is asked for."""
    if name == "deployer":
        return import_module("perdure_gcp.deploy.verbs").GcpDeployer()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
