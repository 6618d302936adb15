"""Where an operation stands in the source, and the label its path is made of."""

from typing import NamedTuple

__all__ = ["NOWHERE", "Site"]


class Site(NamedTuple):
    """One call site of an operation: lines from 1, columns from 0, the end is exclusive."""

    label: str
    file: str
    line: int
    column: int
    end_line: int
    end_column: int


NOWHERE = Site("?", "?", 1, 0, 1, 0)
