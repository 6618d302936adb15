"""Generated flows on every engine: as the reference has them, or refused by name."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.differential.generate import program
from tests.differential.harness import ALL, ENGINES, Program, Verdict, judge

SAMPLE = 50
SWEEP = 20_000
REFUSED = 0.5
"""So large a part of the programs may be refused: what is not lowered yet is in most of them."""


def test_a_sample_of_generated_flows(tmp_path: Path) -> None:
    _all_same(range(SAMPLE), tmp_path)


@pytest.mark.slow
def test_a_sweep_of_generated_flows(tmp_path: Path) -> None:
    _all_same(range(SAMPLE, SWEEP), tmp_path, ALL)


def _all_same(seeds: Iterable[int], folder: Path, engines: Sequence[str] = ENGINES) -> None:
    counts: Counter[str] = Counter()
    for seed in seeds:
        drawn = program(seed)
        verdicts = judge(drawn, folder, engines)
        counts[verdicts["aws/moto"].kind] += 1
        if _is_wrong(verdicts):
            small = shrunk(drawn, folder, engines)
            pytest.fail(report(small, judge(small, folder, engines)))
    assert counts["refused"] <= REFUSED * counts.total(), counts


def _is_wrong(verdicts: dict[str, Verdict]) -> bool:
    return any(
        verdict.kind in ("differs", "crashed", "limited", "scripted")
        for verdict in verdicts.values()
    )


def shrunk(wrong: Program, folder: Path, engines: Sequence[str]) -> Program:
    """The program with as many lines left out as still go wrong."""
    lines = wrong.text.split("\n")
    at = 0
    while at < len(lines):
        for count in (8, 4, 2, 1):
            fewer = lines[:at] + lines[at + count :]
            text = "\n".join(fewer)
            if "async def main(" in text and _goes_wrong(
                replace(wrong, text=text), folder, engines
            ):
                lines = fewer
                break
        else:
            at += 1
    return replace(wrong, text="\n".join(lines))


def _goes_wrong(changed: Program, folder: Path, engines: Sequence[str]) -> bool:
    try:
        compile(changed.text, "<flow>", "exec")
    except SyntaxError:
        return False
    verdicts = judge(changed, folder, engines)
    return verdicts["reference"].kind == "same" and _is_wrong(verdicts)


def report(program: Program, verdicts: dict[str, Verdict]) -> str:
    """What a person needs to see."""
    rows = [f"{engine}: {v.kind}\n{v.detail}" for engine, v in verdicts.items()]
    outside = f"# {program.arguments} {program.events} cancel={program.cancel}"
    return "\n".join((program.name, program.text, outside, *rows))
