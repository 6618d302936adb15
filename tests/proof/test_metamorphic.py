"""What changes nothing in Python changes nothing in a compiled flow."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import pytest

from perdure.diagnostics import Refused
from tests.proof import quick
from tests.proof.generate import program
from tests.proof.metamorphic import CHANGES, Change, run_of

SAMPLE = 2
SWEEP = 400


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_that_changes_nothing_is_not_seen(name: str) -> None:
    assert _compared(CHANGES[name], range(SAMPLE)) > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", CHANGES)
def test_no_change_of_many_programs_is_seen(name: str) -> None:
    assert _compared(CHANGES[name], range(SAMPLE, SWEEP)) > SWEEP // 2


def _compared(change: Change, seeds: Iterable[int]) -> int:
    """How many programs were, each on moto, with the change and without it."""
    counts: Counter[str] = Counter()
    for seed in seeds:
        drawn = program(seed)
        changed = replace(drawn, text=change.make(drawn.text, seed))
        try:
            before, after = quick.compiled(drawn).aws(), quick.compiled(changed).aws()
        except Refused:
            counts["refused"] += 1
            continue
        counts["compared"] += 1
        assert run_of(after, change) == run_of(before, change), changed.text
    return counts["compared"]
