"""What a test drives: a host with its functions, in virtual time."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

__all__ = ["Ended", "Machine", "Observer"]


class Ended(NamedTuple):
    """How an orchestration ended, as JSON texts; `problem` says how it failed."""

    output: str | None
    status: str | None
    problem: str | None


class Observer(Protocol):
    """Whom a machine tells what it did."""

    def ran(self, instance: str, *, renewed: bool) -> None:
        """An episode of an orchestration is over; `renewed`: it goes on under a new history."""
        ...

    def took(self) -> float:
        """Seconds that the attempt which just ran is to take."""
        ...


class Machine(Protocol):
    """A host."""

    now: float

    def start_instance(self, name: str, instance: str, data: str) -> None:
        """Start an orchestration with JSON text as its input."""
        ...

    def raise_event(self, instance: str, name: str, data: str) -> None:
        """Send an event with JSON text as its payload."""
        ...

    def later(self, when: float, happen: Callable[[], None], *, inside: bool) -> None:
        """Let something happen at a moment."""
        ...

    def work(self) -> bool:
        """Run one function that is due at this instant; False if there is none."""
        ...

    def advance(self) -> bool:
        """Let what is next in time happen; False if there is nothing."""
        ...

    def has_ended(self, instance: str) -> bool:
        """Whether an orchestration has come to its end."""
        ...

    def ended(self, instance: str) -> Ended:
        """How it ended."""
        ...

    def history(self, instance: str) -> tuple[object, ...]:
        """What the host keeps of it."""
        ...

    def close(self) -> None:
        """Give up what is left."""
        ...
