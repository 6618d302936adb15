"""Every case on both engines: nothing is said but what the flow says, and that once.

That nothing is open at the end is checked by the engines in every run.
"""

import gc
import logging
import sys
from collections import Counter

import pytest

from perdure.testing import Result, run
from tests.azure.engines import ENGINES
from tests.conformance.engines import CASES, ROOT

pytest.importorskip("azure.durable_functions", reason="version 2 needs Python 3.13")


def run_case(case_id: str, engine: str) -> Result:
    case = CASES[case_id]
    return run(
        str(ROOT / case.flow),
        dict(case.arguments),
        target="azure",
        engine=engine,
        steps=dict(case.steps),
        unscripted=case.unscripted,
        events=list(case.events),
        cancel=case.cancel,
    )


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case_id", CASES)
def test_a_run_is_quiet(
    case_id: str,
    engine: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    noise: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", noise.append)
    with caplog.at_level(logging.DEBUG):
        result = run_case(case_id, engine)
    gc.collect()
    assert noise == []
    assert capfd.readouterr().err == ""
    said = Counter(text.rstrip("\n") for _, _, _, _, text in result.logs)
    loggers = {"perdure", *(name for _, _, name, _, _ in result.logs)}
    shown = [each for each in caplog.records if each.name in loggers or each.levelno > logging.INFO]
    assert Counter(record.getMessage() for record in shown) == said
    assert len({(record.scope, record.ordinal) for record in result.logs}) == len(result.logs)
