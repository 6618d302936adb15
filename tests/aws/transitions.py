"""Runs that take more than two transitions beyond operations, waits, forks and decisions."""

from collections.abc import Mapping
from typing import Final, NamedTuple


class Excess(NamedTuple):
    """How many states there are that are none of these, and why."""

    states: int
    reason: str


EXCESS: Final[Mapping[str, Excess]] = {}
