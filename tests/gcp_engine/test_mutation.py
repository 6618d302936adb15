"""The tool that measures these tests: it makes wrong changes, and finds out which go unseen."""

from pathlib import Path

import pytest

from tests.gcp_engine.mutants import mutants_of, source_of
from tests.gcp_engine.mutation import all_mutants, explained, is_killed

MODULE = '''
"""A module."""

LEAST = 3


def least(values: list[int]) -> bool:
    """Prose is not changed."""
    found = False
    for value in values:
        if value < LEAST and not found:
            found = True
            break
    return found
'''


def test_each_change_is_one_change_and_all_differ(tmp_path: Path) -> None:
    file = tmp_path / "small.py"
    file.write_text(MODULE)
    mutants = list(mutants_of(file))
    sources = {source_of(mutant) for mutant in mutants}
    assert len(sources) == len(mutants)
    assert {mutant.change for mutant in mutants} == {
        "4", "True", "False", "compare 0 LtE", "other operator", "not", "None",
        "without body 0", "without body 1",
    }  # fmt: skip
    assert {mutant.function for mutant in mutants} == {"least", None}


@pytest.mark.parametrize("outcome", [True, False])
def test_a_copy_of_the_process_says_whether_tests_fail(outcome: bool) -> None:
    assert is_killed(lambda: outcome) is outcome


def test_what_is_explained_is_still_there() -> None:
    names = {mutant.name for mutant in all_mutants()}
    assert not explained().keys() - names
