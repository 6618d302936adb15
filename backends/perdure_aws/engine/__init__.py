"""Engines that run Step Functions definitions here: moto's interpreter, and sfnx's as a second.

`engine("moto").simulation(functions=...).run(definition, input, name=...)`; see `interface`.
Needs the extra `aws-test`; importing this package alone needs nothing.
"""

from importlib import import_module
from typing import Final

from perdure_aws.engine.interface import (
    START,
    DefinitionRejected,
    Engine,
    EngineCannot,
    Event,
    Execution,
    Json,
    LambdaContext,
    LambdaFunction,
    Simulation,
)

__all__ = [
    "ENGINES",
    "EXTRA",
    "NEEDS",
    "START",
    "DefinitionRejected",
    "Engine",
    "EngineCannot",
    "Event",
    "Execution",
    "Json",
    "LambdaContext",
    "LambdaFunction",
    "Simulation",
    "engine",
]

ENGINES: Final = ("moto", "sfnx", "moto+dynamodb", "sfnx+dynamodb")
"""What `perdure.testing.run(engine=)` may name, the default first."""
EXTRA: Final = "perdure[aws-test]"
NEEDS: Final = ("moto", "sfnx", "jlens", "boto3")
"""Modules that the extra installs, and nothing runs without."""


def __getattr__(name: str) -> object:
    """`run_flow`, what `perdure.testing` calls, is loaded when it is asked for."""
    if name == "run_flow":
        return getattr(import_module("perdure_aws.engine.flows"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def engine(name: str) -> Engine:
    """The engine of that name: "moto" or "sfnx"."""
    if name == "moto":
        from perdure_aws.engine.simulation import MotoEngine

        return MotoEngine()
    if name == "sfnx":
        from perdure_aws.engine.sfnx import SfnxEngine

        return SfnxEngine()
    raise ValueError(f'no engine "{name}": there are "moto" and "sfnx"')
