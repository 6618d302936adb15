"""Other prices than those of a target's table: from a TOML file of the user's.

[aws.transitions]
dollars = "0.0279"
per = 1000
where = "us-west-1"
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TypeGuard

from perdure.explain.model import Explanation, Price

__all__ = ["PricesError", "with_prices"]


class PricesError(Exception):
    """What is wrong with a file of prices, in a clause."""


def with_prices(explanation: Explanation, path: Path) -> Explanation:
    """The explanation at the prices of a file; units that it does not name keep theirs."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PricesError(f"`{path}` is no TOML: {error}") from error
    given = document.get(explanation.target, {})
    if not _is_table(given):
        raise PricesError(f"`{explanation.target}` in `{path}` is no table")
    units = [unit.name for unit in explanation.units]
    unknown = [name for name in given if name not in units]
    if unknown:
        raise PricesError(f"`{unknown[0]}` is no unit of {explanation.target}: {', '.join(units)}")
    return explanation._replace(prices=tuple(_prices(explanation.prices, units, given, path)))


def _prices(
    known: Sequence[Price], units: Sequence[str], given: Mapping[str, object], path: Path
) -> Iterator[Price]:
    by_unit = {price.unit: price for price in known}
    for unit in units:
        if unit in given:
            yield _price(unit, given[unit], path)
        elif unit in by_unit:
            yield by_unit[unit]


def _price(unit: str, given: object, path: Path) -> Price:
    row: Mapping[str, object] = given if _is_table(given) else {}
    dollars, per = row.get("dollars"), row.get("per", 1)
    if not _is_amount(dollars) or not isinstance(per, int) or per < 1:
        raise PricesError(
            f"`{unit}` in `{path}` needs `dollars`, a number as text, and `per`, of how many"
        )
    free, where = str(row.get("free", "")), str(row.get("where", ""))
    return Price(unit, str(dollars), per, free, where, str(path), "")


def _is_amount(value: object) -> bool:
    try:
        return isinstance(value, str) and Decimal(value) >= 0
    except InvalidOperation:
        return False


def _is_table(value: object) -> TypeGuard[Mapping[str, object]]:
    return isinstance(value, dict)
