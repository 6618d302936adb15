"""Every handwritten flow on every engine: as the reference has it, or refused by name."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.differential.flows import (
    awkward,
    carried,
    class_managers,
    concurrent,
    contests,
    control,
    coroutines,
    deadlines,
    dispatch,
    displays,
    groups,
    kept_forks,
    managers,
    methods,
    mixed,
    open_groups,
    rebuilt,
    recursion,
    recursive_forks,
    stars,
    values,
)
from tests.differential.harness import ENGINES, Program, Verdict, judge

PROGRAMS = (
    *values.PROGRAMS,
    *control.PROGRAMS,
    *concurrent.PROGRAMS,
    *contests.PROGRAMS,
    *deadlines.PROGRAMS,
    *groups.PROGRAMS,
    *coroutines.PROGRAMS,
    *stars.PROGRAMS,
    *managers.PROGRAMS,
    *awkward.PROGRAMS,
    *methods.PROGRAMS,
    *carried.PROGRAMS,
    *mixed.PROGRAMS,
    *recursion.PROGRAMS,
    *open_groups.PROGRAMS,
    *recursive_forks.PROGRAMS,
    *class_managers.PROGRAMS,
    *dispatch.PROGRAMS,
    *kept_forks.PROGRAMS,
    *displays.PROGRAMS,
    *rebuilt.PROGRAMS,
)

OPEN: Mapping[tuple[str, str], str] = {}
"""(program, engine): why it is not the same yet. The test fails when one of them is."""

LIMITED: Mapping[tuple[str, str], str] = {}
"""(program, engine): the limit of the target that only a run of it can reach."""

MISFITS = ("event_typed_misfit", "event_typed_misfit_in_race")
"""Programs whose script sends what no sender could have: refused, in the same words everywhere."""


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_a_flow_does_what_the_reference_does_or_is_refused(
    program: Program, tmp_path: Path
) -> None:
    verdicts = judge(program, tmp_path)
    wrong = {
        engine: f"{verdict.kind}: {verdict.detail}"
        for engine, verdict in verdicts.items()
        if verdict.kind not in ("same", "refused")
        and not (engine == "reference" and verdict.kind == "scripted" and program.name in MISFITS)
        and (program.name, engine) not in OPEN
        and not _is_expected_limit(program.name, engine, verdict)
    }
    assert not wrong, "\n".join(f"{engine} {text}" for engine, text in wrong.items())
    closed = [
        engine
        for engine in ENGINES
        if (program.name, engine) in OPEN and verdicts[engine].kind in ("same", "refused")
    ]
    assert not closed, f"{closed}: no longer open, take them out of OPEN"
    assert program.name not in MISFITS or verdicts["reference"].kind == "scripted"
    for engine in ENGINES:
        assert (program.name, engine) not in LIMITED or verdicts[engine].kind == "limited"


def _is_expected_limit(name: str, engine: str, verdict: Verdict) -> bool:
    limit = LIMITED.get((name, engine))
    return verdict.kind == "limited" and limit is not None and limit in verdict.detail


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["azure/memory", "gcp/workflows"])
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_the_other_targets_do_what_the_reference_does(
    program: Program, engine: str, tmp_path: Path
) -> None:
    if (program.name, engine) in OPEN:
        pytest.xfail(OPEN[program.name, engine])
    verdict = judge(program, tmp_path, (engine,))[engine]
    assert verdict.kind in ("same", "refused") or _is_expected_limit(program.name, engine, verdict)


def test_names_are_unique_and_open_ones_exist() -> None:
    names = [program.name for program in PROGRAMS]
    assert len(names) == len(set(names))
    assert {name for name, _ in OPEN} <= set(names)
