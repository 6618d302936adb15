"""Random structured programs: as machines they do what CPython does, or are refused."""

import warnings
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.machine.harness import compile_flow, compiled, plainly
from tests.machine.programs import program


def _answer(name: str, args: tuple[Any, ...], count: int) -> Any:
    if name == "event" and count % 3 == 0:
        raise TimeoutError
    if name == "sleep":
        return None
    if count % 5 == 4:
        raise ValueError(name + str(count))
    if count % 11 == 7:
        raise KeyError(name)
    number = args[0] if args and isinstance(args[0], int) else count
    return (number + count) % 5


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 1_000_000), x=st.integers(0, 4))
def test_a_random_program_does_what_cpython_does(seed: int, x: int, tmp_path: Path) -> None:
    source = program(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            made = compile_flow(source, tmp_path)
        except AssertionError as refused:
            assume("PDR201" not in str(refused))
            raise
        assume(not made.refusals)
        expected = plainly(source, _answer, {"x": x})
        found, _ = compiled(made, source, _answer, {"x": x})
    assert found == expected, source


def test_few_random_programs_are_refused(tmp_path: Path) -> None:
    found = [_refused(seed, tmp_path) for seed in range(60)]
    assert sum(found) <= 3


def _refused(seed: int, folder: Path) -> bool:
    try:
        return bool(compile_flow(program(seed), folder).refusals)
    except AssertionError as error:
        if "PDR201" not in str(error):
            raise
        return False
