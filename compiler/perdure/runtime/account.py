"""What a run did, as an engine that replays can tell it: by running the flow along its history."""

from typing import final

from perdure.codec.text import Json
from perdure.runtime.engine import Failed, LogRecord, Outcome
from perdure.runtime.host import Begun
from perdure.runtime.usage import Usage, added

__all__ = ["Account", "Happening"]


@final
class Happening:
    """One operation; `ended` is None while it goes on, `outcome` also where it was cancelled."""

    def __init__(self, begun: Begun, began: float) -> None:
        self.begun = begun
        self.began = began
        self.ended: float | None = None
        self.outcome: Outcome | None = None
        self.attempts = 1
        self.failures: list[tuple[int, float, Json]] = []
        """Attempts that failed: number, when, the encoded error."""
        self.usage: tuple[Usage, ...] = ()


@final
class Account:
    """The operations of a run by path, in the order in which they began; what it logged."""

    def __init__(self) -> None:
        self.happenings: dict[str, Happening] = {}
        self.order: list[Happening] = []
        """Those that ended, in that order."""
        self.logs: list[tuple[float, LogRecord]] = []

    def begun(self, begun: Begun, now: float) -> None:
        """An operation starts."""
        self.happenings[begun.op.path] = Happening(begun, now)

    def ended(self, begun: Begun, outcome: Outcome | None, now: float) -> None:
        """An operation is over; None: it was cancelled."""
        found = self.happenings[begun.op.path]
        found.ended, found.outcome = now, outcome
        self.order.append(found)

    def attempted(
        self, path: str, number: int, outcome: Outcome, usage: tuple[Usage, ...], now: float
    ) -> None:
        """An attempt of a step has ended."""
        found = self.happenings[path]
        found.attempts = number
        found.usage = added((*found.usage, *usage))
        if isinstance(outcome, Failed):
            found.failures.append((number, now, outcome.error))
