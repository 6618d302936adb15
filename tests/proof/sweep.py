"""Runs many generated programs and keeps what there is to say about them."""

import gc
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, final

from perdure.codec import Json
from perdure.diagnostics import Refused
from tests.differential.harness import Program, Verdict
from tests.proof import quick
from tests.proof.census import Cell, census
from tests.proof.generate import program

__all__ = [
    "FINE",
    "Judged",
    "Sweep",
    "from_json",
    "is_wrong",
    "judged",
    "kind_of",
    "sweep",
    "to_json",
]

_SAID = re.compile(r"`[^`]*`|\(line \d+\)|\d+")
_TARGETS = re.compile(r"\b(aws|gcp|azure)\b")
FINE = ("same", "refused")
LONGEST = 1_500
"""Characters that are kept of what differs."""


@final
class Judged(NamedTuple):
    """What came of one program. `verdicts`: kind and detail by engine, the reference first."""

    seed: int
    verdicts: Mapping[str, tuple[str, str]]
    cells: Sequence[tuple[Cell, int]] = ()
    end: str = ""
    seconds: float = 0.0


@final
@dataclass
class Sweep:
    """What came of many. `kinds`: how often each engine did what; `refused`: by the kind of
    refusal; `wrong`: engine to seed to what differs.
    """

    programs: int = 0
    accepted: int = 0
    seconds: float = 0.0
    cells: Counter[Cell] = field(default_factory=Counter[Cell])
    kinds: dict[str, Counter[str]] = field(default_factory=dict[str, Counter[str]])
    refused: dict[str, Counter[str]] = field(default_factory=dict[str, Counter[str]])
    ends: Counter[str] = field(default_factory=Counter[str])
    wrong: dict[str, dict[int, str]] = field(default_factory=dict[str, dict[int, str]])

    def add(self, one: Judged) -> None:
        """Count one more."""
        self.programs += 1
        self.seconds += one.seconds
        kinds = [kind for kind, _ in one.verdicts.values()]
        if "refused" not in kinds:
            self.accepted += 1
        self.cells.update(dict(one.cells))
        if one.end:
            self.ends[one.end] += 1
        for engine, (kind, detail) in one.verdicts.items():
            self.kinds.setdefault(engine, Counter())[kind] += 1
            if kind == "refused":
                self.refused.setdefault(engine, Counter())[kind_of(detail)] += 1
            elif kind != "same":
                self.wrong.setdefault(engine, {})[one.seed] = f"{kind} {detail[-LONGEST:]}"


def is_wrong(verdicts: Mapping[str, Verdict]) -> bool:
    """Whether an engine does something else than the reference, or anything crashed."""
    return any(verdict.kind not in FINE for verdict in verdicts.values())


def sweep(
    seeds: Iterable[int],
    engines: Sequence[str] = quick.QUICK,
    *,
    draw: Callable[[int], Program] = program,
) -> Sweep:
    """Judge the programs of the seeds, in this process."""
    found = Sweep()
    gc.freeze()
    for seed in seeds:
        found.add(judged(seed, engines, draw=draw))
    return found


def judged(
    seed: int,
    engines: Sequence[str],
    *,
    draw: Callable[[int], Program] = program,
    begins: Callable[[str], None] = lambda _: None,
) -> Judged:
    """One program; `begins` is told which engine is asked next."""
    began = time.process_time()
    drawn = draw(seed)
    begins("reference")
    made, verdicts = _judged(drawn, engines, begins)
    cells: Counter[Cell] = Counter()
    if made is not None and all(verdict.kind != "refused" for verdict in verdicts.values()):
        cells = census(made.analysis)
    result, end = verdicts["reference"].result, ""
    if result is not None:
        error = "" if result.error is None else f" {type(result.error).__name__}"
        end = f"{result.status}{error}"
    said = {name: (verdict.kind, verdict.detail) for name, verdict in verdicts.items()}
    return Judged(seed, said, tuple(cells.items()), end, time.process_time() - began)


def _judged(
    drawn: Program, engines: Sequence[str], begins: Callable[[str], None]
) -> tuple[quick.Compiled | None, dict[str, Verdict]]:
    try:
        made = quick.compiled(drawn)
    except (Refused, Exception):
        return None, quick.judge(drawn, engines)
    return made, quick.judge_compiled(made, engines, begins)


def kind_of(refusal: str) -> str:
    """A refusal without names, lines, numbers and the target that says it."""
    return _TARGETS.sub("_", _SAID.sub("_", refusal.splitlines()[0]))


def to_json(found: Sweep) -> dict[str, Json]:
    """For a file."""
    return {
        "programs": found.programs,
        "accepted": found.accepted,
        "seconds": round(found.seconds, 1),
        "kinds": {name: dict(kinds) for name, kinds in found.kinds.items()},
        "refused": {name: dict(kinds.most_common()) for name, kinds in found.refused.items()},
        "ends": dict(found.ends.most_common()),
        "wrong": {
            name: {str(seed): text for seed, text in wrong.items()}
            for name, wrong in found.wrong.items()
        },
        "cells": [[row, column, count] for (row, column), count in sorted(found.cells.items())],
    }


def from_json(text: str) -> Sweep:
    """What `to_json` has written."""
    kept = json.loads(text)
    return Sweep(
        kept["programs"],
        kept["accepted"],
        kept["seconds"],
        Counter({(row, column): count for row, column, count in kept["cells"]}),
        {name: Counter(kinds) for name, kinds in kept["kinds"].items()},
        {name: Counter(kinds) for name, kinds in kept["refused"].items()},
        Counter(kept["ends"]),
        {
            name: {int(seed): said for seed, said in wrong.items()}
            for name, wrong in kept["wrong"].items()
        },
    )
