"""Every case on every engine: the end CPython gives it, and the reference's trace (contract C2)."""

from collections.abc import Iterator

import pytest

from perdure.trace import compare
from tests.conformance.corpus import CORPUS
from tests.conformance.engines import CASES, ENGINES, KINDS, check_end, gap, needs, outcome, runs_on
from tests.explain.counted import check_counts

SEEDS = (1, 2, 3)
SEEDED = [case.id for case in CASES.values() if case.kinds & {"fork", "race"}]


@pytest.mark.parametrize("case_id", CASES)
def test_the_reference_comes_to_the_end_that_is_written_down(case_id: str) -> None:
    check_end(CASES[case_id], outcome(case_id, "reference"))


def engine_cases(engines: tuple[str, ...], ids: list[str]) -> Iterator[object]:
    """Each case on each engine that can run it, with the gaps marked."""
    for engine in engines:
        for case in (CASES[name] for name in ids):
            if runs_on(case, engine):
                reason = gap(case, engine)
                marks = [pytest.mark.xfail(reason=reason, strict=True)] if reason else []
                yield pytest.param(engine, case.id, id=f"{engine}-{case.id}", marks=marks)


@pytest.mark.parametrize(("engine", "case_id"), [*engine_cases(ENGINES, [*CASES])])
def test_an_engine_gives_the_trace_of_the_reference(engine: str, case_id: str) -> None:
    needs(engine)
    expected, got = outcome(case_id, "reference"), outcome(case_id, engine)
    assert compare(expected.whole_trace, got.whole_trace) == []
    check_end(CASES[case_id], got)
    check_counts(case_id, engine, got)


@pytest.mark.parametrize(("engine", "case_id"), [*engine_cases(("reference", "aws/moto"), SEEDED)])
def test_another_interleaving_gives_an_equal_trace(engine: str, case_id: str) -> None:
    expected = outcome(case_id, "reference").whole_trace
    for seed in SEEDS:
        got = outcome(case_id, engine, seed)
        assert compare(expected, got.whole_trace) == [], f"seed {seed}"
        check_end(CASES[case_id], got)


def test_seeds_do_pick_other_interleavings() -> None:
    orders = {
        tuple(entry.path for entry in outcome("research-two-drafts", "reference", seed).trace)
        for seed in range(6)
    }
    assert len(orders) > 1


@pytest.mark.parametrize("engine", ["local", "aws/moto", "azure/memory"])
def test_enough_cases_of_each_kind_run_on(engine: str) -> None:
    run_here = [case for case in CORPUS if runs_on(case, engine) and not gap(case, engine)]
    assert len({case.flow for case in run_here}) >= 15
    for kind in KINDS:
        flows = {case.flow for case in run_here if kind in case.kinds}
        assert len(flows) >= 2, f"{kind}: {flows}"
    for case in CASES.values():
        assert not case.flow.startswith("examples/") or not gap(case, engine)
