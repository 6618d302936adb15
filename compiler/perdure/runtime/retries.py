"""Retry policy as one pure function, used by every engine and by the sites of every target."""

from typing import TYPE_CHECKING

from perdure.errors import Fatal, RetryAfter

if TYPE_CHECKING:
    from perdure.language import Retry

__all__ = ["LOST_IN_A_ROW", "delay_before_next"]

LOST_IN_A_ROW = 5
"""After so many attempts in a row that vanished without an outcome, the step raises StepLost."""


def delay_before_next(
    retry: "Retry | None", error: BaseException, attempt: int, jitter: float = 1.0
) -> float | None:
    """Seconds until the next attempt, None when there is none.

    `attempt` is the number (from 1) of the attempt that raised `error`; lost ones do not
    count. `jitter` is a draw from [0, 1) that scales the delay if the policy asks for jitter;
    1.0 switches it off.
    """
    if retry is None or isinstance(error, Fatal) or not isinstance(error, Exception):
        return None
    if retry.attempts is not None and attempt >= retry.attempts:
        return None
    if isinstance(error, RetryAfter):
        return error.delay
    if isinstance(error, retry.not_on) or not isinstance(error, retry.on):
        return None
    try:
        delay = retry.delay * retry.backoff ** (attempt - 1)
    except OverflowError:
        delay = retry.max_delay
    delay = min(delay, retry.max_delay)
    return delay * jitter if retry.jitter else delay
