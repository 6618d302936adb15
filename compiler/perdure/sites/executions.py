"""Executions of Step Functions, as the sites start and stop them; how they are called.

A run id is ours: an execution is named after it, so that a start which is repeated finds the
execution that the first one made.
"""

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Final, Protocol

from perdure.codec import Json

__all__ = ["Executions", "Stops", "execution_name", "generation_name", "is_part"]

_PART: Final = re.compile(r"-(generation-\d+|chunk-\d+|branch)-[0-9a-f]{16}\Z")
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


def execution_name(run: str, part: str = "") -> str:
    """The name of a run's execution: its id where Step Functions takes that, else as near to it.

    `part`: of another execution that the run goes through (`is_part`); it stays legible.
    """
    whole = f"{run} {part}" if part else run
    plain = re.sub(r"[^A-Za-z0-9_-]", "-", whole)
    if plain == whole and len(whole) <= LONGEST:
        return whole
    digest = sha256(whole.encode()).hexdigest()[:16]
    room, last = LONGEST - 17, f"-{part.replace(' ', '-')}" if part else ""
    shown = plain if len(plain) <= room else plain[: room - len(last)] + last
    return f"{shown}-{digest}"


def is_part(name: str) -> bool:
    """Whether an execution is another one of a run than its first: a generation, some branches."""
    return _PART.search(name) is not None


def generation_name(run: str, number: int) -> str:
    """The name of the n-th execution that a run goes through."""
    return execution_name(run) if number == 1 else execution_name(run, f"generation {number}")
