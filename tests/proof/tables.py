"""The table of the census as text."""

from collections import Counter

from tests.proof.census import Cell

__all__ = ["table"]


def table(cells: Counter[Cell]) -> str:
    """One line per node and position."""
    rows = sorted({row for row, _ in cells})
    columns = sorted({column for _, column in cells})
    wide = max((len(row) for row in rows), default=0)
    lines: list[str] = []
    for column in columns:
        counts = "  ".join(f"{row} {cells[row, column]}" for row in rows if cells[row, column])
        lines.append(f"{column:24}| {counts}")
    return "\n".join([f"{len(rows)} nodes, {len(columns)} positions, {wide}", *lines])
