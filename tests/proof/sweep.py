"""Runs many generated programs and keeps what there is to say about them."""

import gc
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import final

from perdure.diagnostics import Refused
from tests.differential.harness import Program, Verdict
from tests.proof import quick
from tests.proof.census import Cell, census
from tests.proof.generate import program

__all__ = ["Sweep", "is_wrong", "kind_of", "sweep"]

_SAID = re.compile(r"`[^`]*`|\(line \d+\)|\d+")


@final
@dataclass
class Sweep:
    """What came of it. `refused`: by the kind of refusal; `wrong`: seed to report."""

    programs: int = 0
    accepted: int = 0
    seconds: float = 0.0
    cells: Counter[Cell] = field(default_factory=Counter[Cell])
    refused: Counter[str] = field(default_factory=Counter[str])
    ends: Counter[str] = field(default_factory=Counter[str])
    wrong: dict[int, str] = field(default_factory=dict[int, str])


def is_wrong(verdicts: dict[str, Verdict]) -> bool:
    """Whether an engine does something else than the reference, or anything crashed."""
    return any(verdict.kind not in ("same", "refused") for verdict in verdicts.values())


def sweep(
    seeds: Iterable[int],
    engines: Sequence[str] = quick.QUICK,
    *,
    told: Callable[[Sweep], None] = lambda _: None,
    draw: Callable[[int], Program] = program,
) -> Sweep:
    """Judge the programs of the seeds; `told` after each."""
    found = Sweep()
    gc.freeze()
    for seed in seeds:
        began = time.process_time()
        drawn = draw(seed)
        made, verdicts = _judged(drawn, engines)
        found.programs += 1
        refusals = [v.detail for v in verdicts.values() if v.kind == "refused"]
        if refusals:
            found.refused[kind_of(refusals[0])] += 1
        elif made is not None:
            found.accepted += 1
            found.cells.update(census(made.analysis))
        result = verdicts["reference"].result
        if result is not None:
            error = "" if result.error is None else f" {type(result.error).__name__}"
            found.ends[f"{result.status}{error}"] += 1
        if is_wrong(verdicts):
            lines = [f"{name}: {v.kind} {v.detail}" for name, v in verdicts.items()]
            found.wrong[seed] = "\n".join(lines)
        found.seconds += time.process_time() - began
        told(found)
    return found


def _judged(
    drawn: Program, engines: Sequence[str]
) -> tuple[quick.Compiled | None, dict[str, Verdict]]:
    try:
        made = quick.compiled(drawn)
    except (Refused, Exception):
        return None, quick.judge(drawn, engines)
    return made, quick.judge_compiled(made, engines)


def kind_of(refusal: str) -> str:
    """A refusal without names, lines and numbers."""
    return _SAID.sub("_", refusal.splitlines()[0])
