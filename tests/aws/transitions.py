"""Runs that take more than two transitions beyond operations, waits, forks and decisions."""

from collections.abc import Mapping
from typing import Final, NamedTuple


class Excess(NamedTuple):
    """How many states there are that are none of these, and why."""

    states: int
    reason: str


_DECIDES = "a site between a wait and the decision on what it gave: Python decides, after the wait"
_HANDLER = "a site looks at what the wait came to, and the handler's site decides what goes on"
_LOOP = "the first site and the last one, and a loop without operations between two of them"
_BRANCH = "a branch that failed, or returned after a wait, ends in a state of its own"

EXCESS: Final[Mapping[str, Excess]] = {
    "ac-02-one-fails": Excess(3, _BRANCH),
    "ac-08": Excess(6, _LOOP),
    "ad-04": Excess(4, _BRANCH),
    "az-01-expired": Excess(4, _DECIDES),
    "az-01-three-wrong": Excess(4, _DECIDES),
    "dp-01-late": Excess(3, _DECIDES),
    "re-03-clicked": Excess(4, _DECIDES),
    "re-03-never": Excess(4, _DECIDES),
    "sf-10": Excess(4, _BRANCH),
    "tp-34": Excess(5, _DECIDES),
    "tp-37": Excess(5, _DECIDES),
    "ad-01": Excess(4, _DECIDES),
    "re-06-paid": Excess(6, _HANDLER),
    "re-06-escalated": Excess(9, _HANDLER),
    "sf-16": Excess(5, _LOOP),
    "tp-09": Excess(5, _DECIDES),
    "ta-01-confirmed": Excess(7, _DECIDES),
    "ta-01-ended": Excess(4, _DECIDES),
    "re-12-refunded": Excess(8, _DECIDES),
    "re-12-no-money": Excess(4, _DECIDES),
    "dt-04": Excess(
        3, "each run begins the next one, as it would a child, and hands on its result"
    ),
}
