"""What a test sees of orchestrations and activities: its watcher is in a context variable.

There is none in production.
"""

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from perdure.codec.text import Json
    from perdure.language import Step
    from perdure.runtime.bodies import Attempted
    from perdure.runtime.episode import Episode
    from perdure.runtime.host import Attempt

__all__ = ["Watcher", "watcher"]


class Watcher(Protocol):
    """Told of each episode; gives the answers of scripted steps."""

    @property
    def longest(self) -> int:
        """Events after which a run hands over."""
        ...

    def began(self, episode: "Episode[Any]") -> None:
        """An orchestrator function was entered: for the first time, or to be replayed."""
        ...

    def ended(self, episode: "Episode[Any]") -> None:
        """The run has come to its end in this episode, or hands over."""
        ...

    def attempt(
        self, step: "Step[..., object]", call: "Attempt", arguments: "dict[str, Json]"
    ) -> "Attempted | None":
        """How an attempt ends; None to run the body."""
        ...

    def misfit(self, problem: str) -> None:
        """The payload of an event does not fit the wait that took it."""
        ...

    def clock(self) -> float:
        """Engine time."""
        ...


watcher: ContextVar[Watcher | None] = ContextVar("perdure.runtime.watcher", default=None)
