"""The table of docs/twins.md: what our runs count, beside their hand-written twins."""

from collections.abc import Iterator

import pytest

from perdure_gcp.workflows.execution import Entry
from tests.conformance.engines import CASES, outcome
from tests.docs.pages import ROOT, kept
from tests.explain.twins import ABOVE, TWINS, Twin


def counted(twin: Twin) -> int:
    """States that our run has entered; calls and switches of the workflow itself."""
    got = outcome(twin.case, twin.engine)
    if twin.engine == "aws/moto":
        assert got.transitions is not None
        return got.transitions
    steps = [entry for entry in got.history if isinstance(entry, Entry)]
    return sum(one.routine == "main" and one.kind in {"STEP_CALL", "STEP_SWITCH"} for one in steps)


@pytest.mark.parametrize("twin", TWINS, ids=lambda twin: str(twin.case))
def test_a_run_takes_no_more_than_its_hand_written_twin(twin: Twin) -> None:
    ours = counted(twin)
    assert (ours > twin.total) == (twin.case in ABOVE), f"{ours}, the twin {twin.total}"


def test_twins_are_of_cases() -> None:
    assert {twin.case for twin in TWINS} <= set(CASES)
    assert set(ABOVE) <= {twin.case for twin in TWINS}


def test_the_table_of_the_docs_is_what_is_counted(update: bool) -> None:
    kept(ROOT / "docs/twins.md", "\n".join(_table()) + "\n", update)


def _table() -> Iterator[str]:
    yield "| case | engine | perdure | twin | what the twin passes | where it is |"
    yield "|---|---|---|---|---|---|"
    reasons: dict[str, int] = {}
    for twin in TWINS:
        passes = ", ".join(f"{number} ({what})" for number, what in twin.passes)
        ours = str(counted(twin))
        if twin.case in ABOVE:
            ours += f" [{reasons.setdefault(ABOVE[twin.case], len(reasons) + 1)}]"
        cells = (twin.case, twin.engine, ours, str(twin.total), passes, f"`{twin.source}`")
        yield f"| {' | '.join(cells)} |"
    yield ""
    total = sum(map(counted, TWINS)), sum(twin.total for twin in TWINS)
    yield f"Together: {total[0]}, the twins {total[1]}."
    for reason, number in reasons.items():
        yield f"\n[{number}] {reason}"
