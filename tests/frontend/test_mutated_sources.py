"""The front end never falls over: any text gives diagnostics or a flow, never a traceback.

The sample here is bounded; `pytest -m slow tests/frontend` runs all 100,000.
"""

import ast

import pytest

from perdure.diagnostics import Report
from perdure.frontend import instrument
from perdure.frontend.check import Workspace, check, flows_of
from tests.frontend.mutants import awkward, mutants
from tests.frontend.sources import PROJECT, ROOT

SAMPLE = 300
ALL = 100_000
CHUNKS = 20


def survives(text: str) -> bool:
    """Check every flow of a text, and instrument what is accepted; whether it parsed."""
    workspace = Workspace(PROJECT, Report())
    module = workspace.load(ROOT / "flow.py", text)
    if module is None:
        assert not workspace.report.ok
        return False
    for flow in flows_of(workspace, module):
        analysis = check(PROJECT, ROOT / "flow.py", flow.ref.qualname, workspace=workspace)
        for found in analysis.report.diagnostics:
            assert found.message
            assert "{" not in found.rule.code
        if analysis.ok:
            for reached in analysis.modules.values():
                tree = instrument.module(reached, analysis)
                compile(tree, "flow.py", "exec", dont_inherit=True)
    check(PROJECT, ROOT / "flow.py", None, workspace=workspace)
    return True


@pytest.mark.parametrize("name", awkward())
def test_awkward_texts_give_diagnostics_or_a_flow(name: str) -> None:
    survives(awkward()[name])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.filterwarnings("ignore")
def test_mutated_flows_give_diagnostics_or_a_flow(seed: int) -> None:
    parsed = sum(survives(text) for text in mutants(seed, SAMPLE))
    assert parsed >= SAMPLE * 0.4


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 100 + CHUNKS))
@pytest.mark.filterwarnings("ignore")
def test_a_hundred_thousand_mutated_flows(seed: int) -> None:
    parsed = sum(survives(text) for text in mutants(seed, ALL // CHUNKS))
    assert parsed >= ALL // CHUNKS * 0.4


def test_half_of_the_mutants_parse() -> None:
    texts = [*mutants(7, 200)]
    parsed = 0
    for text in texts:
        try:
            ast.parse(text)
            parsed += 1
        except (SyntaxError, ValueError):
            pass
    assert 80 <= parsed <= 180
