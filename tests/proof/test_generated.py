"""Programs drawn over the whole language: every engine does what the reference does."""

from collections import Counter
from collections.abc import Iterator

import pytest

import perdure_aws.engine.simulation as moto
from perdure_aws.engine.patches import Patches
from tests.proof.cases import KNOWN
from tests.proof.quick import ALL, judge
from tests.proof.sweep import Sweep, is_wrong, sweep

SAMPLE = 40
SWEEP = 20_000
REFUSED = 0.05


@pytest.fixture(autouse=True)
def _definitions_as_they_are() -> Iterator[None]:
    """Other tests validate definitions."""
    patches = Patches()
    patches.replace(moto, "_validate", _taken_as_it_is)
    yield
    patches.restore()


def test_a_sample_of_programs_does_what_the_reference_does() -> None:
    found = sweep(range(SAMPLE))
    assert not found.wrong, _said(found)
    assert found.accepted > SAMPLE * 0.8
    nodes = Counter({node for node, _ in found.cells})
    assert len(nodes) > 25, "the sample has nearly every node of the IR"


@pytest.mark.slow
def test_many_programs_do_what_the_reference_does() -> None:
    found = sweep(range(SAMPLE, SWEEP))
    assert not found.wrong, _said(found)
    assert 1 - found.accepted / found.programs <= REFUSED, found.refused


@pytest.mark.parametrize("program", KNOWN, ids=lambda program: program.name)
def test_a_program_that_once_went_wrong_does_what_the_reference_does(program: object) -> None:
    from tests.differential.harness import Program

    assert isinstance(program, Program)
    verdicts = judge(program, ALL)
    assert not is_wrong(verdicts), verdicts


def _taken_as_it_is(*_: object) -> None:
    """In place of the checks."""


def _said(found: Sweep) -> str:
    return "\n".join(
        f"seed {seed} on {engine}: {text}"
        for engine, wrong in found.wrong.items()
        for seed, text in wrong.items()
    )
