"""What a thread of an execution waits for; the project resumes it with the outcome."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import final

from perdure_gcp.workflows.http import Request
from perdure_gcp.workflows.values import Value

__all__ = ["Callback", "Called", "Fork", "Pause", "Sent", "Until", "Wait", "Work"]


@final
@dataclass(frozen=True, slots=True)
class Pause:
    """Other threads may go first."""


@final
@dataclass(frozen=True, slots=True)
class Until:
    """A time, in seconds since 1970."""

    time: float


@final
@dataclass(frozen=True, slots=True)
class Sent:
    """The response of an HTTP request."""

    request: Request
    timeout: float


@final
@dataclass(frozen=True, slots=True)
class Callback:
    """A request to a callback endpoint."""

    url: str
    timeout: float


@final
@dataclass(frozen=True, slots=True)
class Fork:
    """Branches that run side by side; the outcome is one error, or null, for each."""

    branches: tuple[tuple[str, "Work[None]"], ...]
    limit: int | None


@final
@dataclass(frozen=True, slots=True)
class Called:
    """The end of an execution of another workflow."""

    workflow: str
    argument: Value


type Wait = Pause | Until | Sent | Callback | Fork | Called

type Work[T] = Generator[Wait, Value, T]
"""A part of an execution: gives waits, is sent outcomes, returns its result."""
