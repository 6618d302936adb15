"""The matrix of docs/evidence.md, from the cases and marks of tests/conformance."""

from collections.abc import Iterator

from tests.conformance.engines import CASES, ENGINES, gap, runs_on
from tests.docs.pages import ROOT, kept


def test_the_matrix_of_the_docs_is_that_of_the_suite(update: bool) -> None:
    kept(ROOT / "docs/evidence.md", "\n".join(_matrix()) + "\n", update)


def _matrix() -> Iterator[str]:
    yield f"| case | flow | {' | '.join(ENGINES)} |"
    yield "|---" * (2 + len(ENGINES)) + "|"
    reasons: dict[str, int] = {}
    for case in CASES.values():
        marks: list[str] = []
        for engine in ENGINES:
            if not runs_on(case, engine):
                marks.append("-")
            elif (reason := gap(case, engine)) is not None:
                marks.append(f"gap [{reasons.setdefault(reason, len(reasons) + 1)}]")
            else:
                marks.append("yes")
        yield f"| {case.id} | `{case.flow}` | {' | '.join(marks)} |"
    yield ""
    for reason, number in reasons.items():
        yield f"[{number}] {reason}\n"
