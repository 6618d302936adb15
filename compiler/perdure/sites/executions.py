"""Executions of Step Functions, as the sites start and stop them; how they are called.

A run id is ours: an execution is named after it, so that a start which is repeated finds the
execution that the first one made.
"""

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Protocol

from perdure.codec import Json

__all__ = ["Executions", "Stops", "execution_name", "generation_name"]

LONGEST = 80
"""Characters of an execution's name (botocore service model stepfunctions, Name)."""


class Stops(Protocol):
    """Who can stop executions."""

    def stop(self, flow: str, name: str) -> None:
        """StopExecution, unless it has ended."""
        ...


class Executions(Stops, Protocol):
    """The API of Step Functions, to the functions of this bundle."""

    def start(self, flow: str, name: str, given: Mapping[str, Json]) -> None:
        """StartExecution of the flow's machine, unless it was done before."""
        ...

    def events(self, flow: str, name: str) -> int:
        """How many events the history of an execution has."""
        ...


def execution_name(run: str) -> str:
    """The name of a run's execution: its id where Step Functions takes that, else as near to it."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "-", run)
    if plain == run and len(run) <= LONGEST:
        return run
    digest = sha256(run.encode()).hexdigest()[:16]
    return f"{plain[: LONGEST - 17]}-{digest}"


def generation_name(run: str, number: int) -> str:
    """The name of the n-th execution that a run goes through."""
    return execution_name(run) if number == 1 else execution_name(f"{run} generation {number}")
