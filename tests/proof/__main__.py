"""`python -m tests.proof sweep|show|table|planted`: generated programs outside of pytest.

`sweep FIRST LAST [--seconds S] [--log FILE]` judges the programs of these seeds, `show SEED` prints
one with what each engine makes of it, `shrink SEED` a smaller one that still goes wrong.
"""

import argparse
import json
import sys
import time
from pathlib import Path

from tests.differential.harness import Program
from tests.proof import quick
from tests.proof.generate import program
from tests.proof.shrink import shrunk
from tests.proof.sweep import Sweep, sweep
from tests.proof.tables import table

EVERY = 200


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.proof", description=__doc__)
    parser.add_argument("what", choices=("sweep", "show", "shrink", "planted"))
    parser.add_argument("first", type=int)
    parser.add_argument("last", type=int, nargs="?")
    parser.add_argument("--log", type=Path)
    parser.add_argument("--shard", type=int, default=0)
    parser.add_argument("--shards", type=int, default=1)
    asked = parser.parse_args()
    match asked.what:
        case "sweep":
            return _sweep(range(asked.first, asked.last), asked.log)
        case "planted":
            from tests.proof.planted import PLANTED, WITHIN, hunt

            quick.leave_out_validation()
            for name in [*PLANTED][asked.shard :: asked.shards]:
                found = hunt(name, asked.first, asked.last or WITHIN)
                said = "NOT FOUND" if found is None else f"{found.programs:5} {found.how[:90]}"
                print(f"{name:42} {said}", flush=True)
            return 0
        case "shrink":
            quick.leave_out_validation()
            wrong = quick.judge(program(asked.first))
            guilty = [name for name in quick.QUICK if wrong[name].kind != "same"]
            small = shrunk(program(asked.first), guilty)
            _show(small)
            return 0
        case _:
            _show(program(asked.first))
            return 0


def _show(one: Program) -> None:
    print(one.text)
    print(f"# {dict(one.arguments)} events={list(one.events)} cancel={one.cancel}")
    for engine, verdict in quick.judge(one).items():
        print(f"# {engine}: {verdict.kind} {verdict.detail[-3000:]}")
        if verdict.result is not None:
            print(f"#   {verdict.result!r}"[:2000])


def _sweep(seeds: range, log: Path | None) -> int:
    quick.leave_out_validation()
    began, known = time.time(), 0

    def told(found: Sweep) -> None:
        nonlocal known
        for seed in [*found.wrong][known:]:
            print(f"seed {seed}: {found.wrong[seed][-700:]}", flush=True)
        known = len(found.wrong)
        if found.programs % EVERY == 0 or found.programs == len(seeds):
            share = 1 - found.accepted / found.programs
            print(
                f"{seeds.start}+{found.programs}: {len(found.wrong)} wrong, {share:.1%} refused, "
                f"{found.seconds / found.programs:.3f} s CPU each, {time.time() - began:.0f} s",
                flush=True,
            )
            if log is not None:
                log.write_text(_as_json(found, seeds), encoding="utf-8")

    found = sweep(seeds, told=told)
    print(table(found.cells))
    for kind, count in found.refused.most_common():
        print(f"refused {count:6} {kind}")
    for end, count in found.ends.most_common():
        print(f"ended {count:6} {end}")
    return 1 if found.wrong else 0


def _as_json(found: Sweep, seeds: range) -> str:
    kept = {
        "first": seeds.start,
        "programs": found.programs,
        "accepted": found.accepted,
        "seconds": found.seconds,
        "cells": [[*cell, count] for cell, count in sorted(found.cells.items())],
        "refused": dict(found.refused.most_common()),
        "ends": dict(found.ends.most_common()),
        "wrong": found.wrong,
    }
    return json.dumps(kept, indent=1)


if __name__ == "__main__":
    sys.exit(main())
