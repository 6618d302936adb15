"""How many cases of each kind ran on each engine, as a table under the tests."""

from collections.abc import Iterable
from typing import Final

from tests.conformance.engines import CASES, ENGINES, KINDS

_TEST: Final = "test_an_engine_gives_the_trace_of_the_reference["


def table(passed: Iterable[str], failed: Iterable[str], gaps: Iterable[str]) -> list[str]:
    """The lines of the table, from the ids of tests; none if no such test ran."""
    equal, red, known = _cells(passed), _cells(failed), _cells(gaps)
    if not equal | red | known:
        return []
    lines = [f"{'traces equal to the reference':32}" + "".join(f"{kind:>8}" for kind in COLUMNS)]
    for engine in ENGINES:
        counts = "".join(f"{_count(equal, engine, kind):>8}" for kind in COLUMNS)
        notes = [
            f"{len(cells)} {word}"
            for cells, word in ((_of(known, engine), "gaps"), (_of(red, engine), "RED"))
            if cells
        ]
        lines.append(f"{engine:32}{counts}  {', '.join(notes)}".rstrip())
    return lines


COLUMNS: Final = ("all", *KINDS)


def _cells(ids: Iterable[str]) -> frozenset[tuple[str, str]]:
    """(engine, case) of each test of the matrix."""
    named = (text.partition(_TEST)[2].removesuffix("]") for text in ids if _TEST in text)
    return frozenset(
        (engine, name.removeprefix(f"{engine}-"))
        for name in named
        for engine in ENGINES
        if name.startswith(f"{engine}-")
    )


def _of(cells: frozenset[tuple[str, str]], engine: str) -> set[str]:
    return {case for each, case in cells if each == engine}


def _count(cells: frozenset[tuple[str, str]], engine: str, kind: str) -> int:
    return sum(kind == "all" or kind in CASES[case].kinds for case in _of(cells, engine))
