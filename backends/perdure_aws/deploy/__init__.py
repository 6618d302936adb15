"""`perdure package|plan|deploy|rollback|status|destroy` and the runs of an environment, on AWS.

boto3 alone, with its own chain of credentials. Reads artifacts, never the IR. Everything in the
cloud is found again by names and tags that follow from project and environment, so any verb can
be interrupted at any request, and repeated.
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
        return import_module("perdure_aws.deploy.verbs").AwsDeployer()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
