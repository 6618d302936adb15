"""The engines that every case runs on, one run of each, and what they do not give yet."""

import dataclasses
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from perdure.testing import Result, run
from tests.conformance.case import Case
from tests.conformance.corpus import CORPUS
from tests.conformance.examples import EXAMPLES

ROOT = Path(__file__).parents[2]
CASES = {case.id: case for case in (*EXAMPLES, *CORPUS)}
ENGINES = ("local", "aws/moto", "aws/sfnx", "azure/memory", "azure/classic", "gcp/workflows")
KINDS = ("race", "event", "saga", "loop", "fork")

GAPS: Mapping[tuple[str, str], str] = {}
"""(case, engine): why that engine does not give the trace. The suite fails when one closes."""

WITHOUT_TIME: Mapping[str, str] = {
    "ac-02-one-fails": "never: a branch fails, and how far its siblings came hangs on time",
}
"""Cases that do not hang on time, and whose machine sfnx refuses to run all the same."""


@cache
def outcome(case_id: str, engine: str, seed: int = 0) -> Result:
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
        seed=seed,
    )


def runs_on(case: Case, engine: str) -> bool:
    """Whether the engine can answer at all: sfnx has no clock and no tokens."""
    return engine != "aws/sfnx" or not (case.timed or case.events or case.cancel)


def needs(engine: str) -> None:
    """Skip the test where what the engine needs is not here."""
    if engine == "azure/classic":
        from tests.azure.engines import needs_sdk1

        needs_sdk1()


def gap(case: Case, engine: str) -> str | None:
    """Why the engine does not give the trace of this case, if it does not."""
    if engine == "aws/sfnx" and case.id in WITHOUT_TIME:
        return WITHOUT_TIME[case.id]
    return GAPS.get((case.id, engine))


def check_end(case: Case, result: Result) -> None:
    """The run ends as the case says."""
    assert result.status == case.status, result.error
    if case.error is None:
        assert _plain(result.result) == case.result
        assert type(_plain(result.result)) is type(case.result)
    else:
        assert type(result.error).__name__ == case.error


def _plain(value: object) -> object:
    """A result as plain data, so that a case can write it down."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return value
