"""perdure on AWS: Step Functions in JSONata mode, with one Lambda function for the sites."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from perdure_aws.target import AwsTarget

    backend: AwsTarget

__all__ = ["backend"]


def __getattr__(name: str) -> object:
    """The target, loaded when it is asked for: a bundle needs the handler alone."""
    if name == "backend":
        from perdure_aws.target import AwsTarget

        return AwsTarget()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
