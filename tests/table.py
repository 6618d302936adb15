"""The four examples on every engine, with their traces compared: `python -m tests.table`."""

import sys
from contextlib import redirect_stdout
from io import StringIO
from itertools import groupby

from perdure.testing import Result
from perdure.trace import compare
from tests.conformance.engines import ENGINES, GAPS, outcome, runs_on
from tests.conformance.examples import EXAMPLES

__all__ = ["main", "table"]


def table() -> tuple[list[str], bool]:
    """The lines of the table, and whether every trace is the reference's."""
    rows: list[tuple[str, ...]] = [("example", "runs", *ENGINES)]
    right = True
    for name, group in groupby(
        EXAMPLES, lambda case: case.flow.rpartition("/")[2].partition(".")[0]
    ):
        cases = list(group)
        marks: list[str] = []
        for engine in ENGINES:
            ran = [
                case for case in cases if runs_on(case, engine) and (case.id, engine) not in GAPS
            ]
            equal = sum(
                _equal(outcome(case.id, "reference"), outcome(case.id, engine)) for case in ran
            )
            right = right and equal == len(ran)
            marks.append(f"{equal} of {len(ran)} equal" if ran else "-")
        rows.append((name, str(len(cases)), *marks))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) for row in rows)
    return [line.rstrip() for line in lines], right


def _equal(expected: Result, got: Result) -> bool:
    return not compare(expected.whole_trace, got.whole_trace)


def main() -> int:
    """Print the table; 1 if a trace differs."""
    with redirect_stdout(StringIO()):  # what the bodies of steps print
        lines, right = table()
    print("\n".join(lines))
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
