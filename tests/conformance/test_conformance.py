"""Every case on every engine: the end CPython gives it, and the reference's trace (contract C2)."""

import dataclasses
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

from perdure.testing import Result, run
from perdure.trace import compare
from tests.conformance.case import Case
from tests.conformance.corpus import CORPUS
from tests.conformance.examples import EXAMPLES

ROOT = Path(__file__).parents[2]
CASES = {case.id: case for case in (*EXAMPLES, *CORPUS)}
ENGINES = ("local", "aws/moto", "aws/sfnx", "azure/memory")

GAPS: Mapping[tuple[str, str], str] = {}
"""(case, engine): why that engine does not give the trace yet. The suite fails when one closes."""


@cache
def outcome(case_id: str, engine: str) -> Result:
    """One run, shared by the tests that look at it."""
    case = CASES[case_id]
    target, _, name = engine.partition("/")
    return run(
        str(ROOT / case.flow),
        dict(case.arguments),
        target=target,
        engine=name or None,
        steps=dict(case.steps),
        unscripted=case.unscripted,
        events=list(case.events),
        cancel=case.cancel,
    )


def plain(value: object) -> object:
    """A result as plain data, so that a case can write it down."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return value


def check_end(case: Case, result: Result) -> None:
    assert result.status == case.status, result.error
    if case.error is None:
        assert plain(result.result) == case.result
        assert type(plain(result.result)) is type(case.result)
    else:
        assert type(result.error).__name__ == case.error


@pytest.mark.parametrize("case_id", CASES)
def test_the_reference_comes_to_the_end_that_is_written_down(case_id: str) -> None:
    check_end(CASES[case_id], outcome(case_id, "reference"))


def engine_cases() -> list[object]:
    """Each case on each engine that can run it, with the gaps marked."""
    found: list[object] = []
    for engine in ENGINES:
        for case in CASES.values():
            if engine == "aws/sfnx" and (case.timed or case.events or case.cancel):
                continue  # it has no clock and no tokens: time would be left out of the answer
            reason = GAPS.get((case.id, engine))
            marks = [pytest.mark.xfail(reason=reason, strict=True)] if reason else []
            found.append(pytest.param(case.id, engine, id=f"{engine}-{case.id}", marks=marks))
    return found


@pytest.mark.parametrize(("case_id", "engine"), engine_cases())
def test_an_engine_gives_the_trace_of_the_reference(case_id: str, engine: str) -> None:
    expected, got = outcome(case_id, "reference"), outcome(case_id, engine)
    assert compare(expected.whole_trace, got.whole_trace) == []
    check_end(CASES[case_id], got)


def test_there_are_enough_cases_of_each_kind() -> None:
    kinds = [kind for case in CASES.values() for kind in case.kinds]
    flows = {case.flow for case in CORPUS}
    assert len(flows) >= 15
    for kind in ("race", "event", "saga", "loop", "fork"):
        assert kinds.count(kind) >= 2
