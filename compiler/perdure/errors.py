"""The exceptions that are part of the language. Import-light: it travels in every bundle."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from perdure.durations import Duration

__all__ = [
    "Fatal",
    "InvalidInput",
    "LimitExceeded",
    "RetryAfter",
    "RunConflict",
    "StepLost",
    "Unanswered",
]


class Fatal(Exception):  # noqa: N818  # reads as what happened
    """Raised in a step: no retry policy tries this again."""


class RetryAfter(Exception):  # noqa: N818  # reads as what happened
    """Raised in a step: try again after `delay`, if an attempt is left."""

    def __init__(self, delay: "Duration", message: str = "") -> None:
        from perdure.durations import seconds_of

        super().__init__(delay, message) if message else super().__init__(delay)
        self.delay = seconds_of(delay)


class StepLost(RuntimeError):  # noqa: N818  # reads as what happened
    """Five attempts in a row vanished without an outcome (their worker died)."""


class InvalidInput(ValueError):  # noqa: N818  # reads as what happened
    """The input of a flow, or the payload of an event, does not fit its declared type."""


class RunConflict(RuntimeError):  # noqa: N818  # reads as what happened
    """A run of this id exists already, with another flow or another input."""


class Unanswered(RuntimeError):  # noqa: N818  # reads as what happened
    """The run ended before it answered what `Handle.ask` had sent."""


class LimitExceeded(RuntimeError):  # noqa: N818  # reads as what happened
    """A run would pass a limit of its target; the message names the limit and the line."""
