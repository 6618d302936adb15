"""The engine's clock: the wall clock, but it never goes back while a process lives.

When somebody sets the wall clock back, this one goes on at its pace: a sleep of a minute takes a
minute. When the wall clock is set forward, so is this one: what is due by then is due. Due times
are moments of the wall clock, so a process that starts later takes them as the wall clock says.
"""

import time
from collections.abc import Callable
from typing import final

__all__ = ["SteadyClock"]


@final
class SteadyClock:
    """Seconds since 1970, when called."""

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall = wall
        self._steady = steady
        self._now = wall()
        self._at = steady()

    def __call__(self) -> float:
        """Return the time: no less than before plus what has passed since."""
        at = self._steady()
        self._now = max(self._wall(), self._now + at - self._at)
        self._at = at
        return self._now
