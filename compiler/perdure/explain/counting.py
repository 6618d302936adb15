"""Sums of counts, and what they cost."""

from collections.abc import Iterable
from decimal import Decimal

from perdure.explain.model import Counts, Price

__all__ = ["dollars", "plus", "times"]


def plus(*parts: Counts) -> Counts:
    """The sum; what comes to nothing is left out."""
    total: dict[str, int] = {}
    for part in parts:
        for unit, count in part.items():
            total[unit] = total.get(unit, 0) + count
    return {unit: count for unit, count in total.items() if count}


def times(number: int, counts: Counts) -> Counts:
    """So many times the same."""
    return {unit: number * count for unit, count in counts.items() if number * count}


def dollars(counts: Counts, prices: Iterable[Price]) -> Decimal:
    """What counts cost where nothing is free; what has no known price is left out."""
    total = Decimal(0)
    for price in prices:
        if price.dollars is not None:
            total += counts.get(price.unit, 0) * Decimal(price.dollars) / price.per
    return total
