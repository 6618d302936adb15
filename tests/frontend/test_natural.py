"""Natural programs: nearly all are accepted, and the local engine does what the reference does."""

from pathlib import Path

import pytest

from tests.differential.flows.natural import NATURAL
from tests.differential.harness import Program, judge, source_of
from tests.frontend.sources import codes

REFUSED = {"natural_51": "PDR126: a function that returns a generator, over operations"}
"""The valid programs that the front end refuses, with the rule: at most one in twenty."""


def test_few_natural_programs_are_refused() -> None:
    refused = {each.name for each in NATURAL if codes(source_of(each))}
    assert refused == {*REFUSED}
    assert len(refused) * 20 <= len(NATURAL)


@pytest.mark.parametrize("program", NATURAL, ids=lambda program: program.name)
def test_a_natural_program_ends_alike_on_both(program: Program, tmp_path: Path) -> None:
    verdicts = judge(program, tmp_path, ("local",))
    expected = "refused" if program.name in REFUSED else "same"
    assert {verdict.kind for verdict in verdicts.values()} <= {expected, "same"}
