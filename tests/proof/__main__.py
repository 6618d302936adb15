"""`python -m tests.proof sweep|show|table|planted`: generated programs outside of pytest.

`sweep FIRST LAST [--engines local,aws,gcp,azure] [--log FILE]` judges the programs of these seeds,
and goes on where the file ends; `report --log FILE` says what is in it; `show SEED` prints a
program with what each engine makes of it, `shrink SEED` a smaller one that still goes wrong.
"""

import argparse
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.differential.harness import Program
from tests.proof import quick
from tests.proof.generate import program
from tests.proof.long_sweep import LongSweep
from tests.proof.shrink import shrunk
from tests.proof.sweep import FINE, Judged, Sweep, from_json
from tests.proof.tables import table

EVERY = 200


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.proof", description=__doc__)
    parser.add_argument("what", choices=("sweep", "report", "show", "shrink", "planted"))
    parser.add_argument("first", type=int, nargs="?", default=0)
    parser.add_argument("last", type=int, nargs="?")
    parser.add_argument("--log", type=Path)
    parser.add_argument("--engines", default="local,aws", help="of local,aws,gcp,azure")
    parser.add_argument("--shard", type=int, default=0)
    parser.add_argument("--shards", type=int, default=1)
    asked = parser.parse_args()
    match asked.what:
        case "sweep":
            return _sweep(asked)
        case "report":
            _report(from_json(asked.log.read_text(encoding="utf-8")))
            return 0
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
            engines = _engines(asked.engines)
            wrong = quick.judge(program(asked.first), engines)
            guilty = [name for name in engines if wrong[name].kind != "same"]
            _show(shrunk(program(asked.first), guilty), engines)
            return 0
        case _:
            _show(program(asked.first), _engines(asked.engines))
            return 0


def _show(one: Program, engines: Sequence[str]) -> None:
    print(one.text)
    print(f"# {dict(one.arguments)} events={list(one.events)} cancel={one.cancel}")
    for engine, verdict in quick.judge(one, engines).items():
        print(f"# {engine}: {verdict.kind} {verdict.detail[-3000:]}")
        if verdict.result is not None:
            print(f"#   {verdict.result!r}"[:2000])


def _sweep(asked: argparse.Namespace) -> int:
    quick.leave_out_validation()
    began = time.time()
    long = LongSweep(asked.first, asked.last, _engines(asked.engines), asked.log)

    def told(one: Judged, found: Sweep) -> None:
        for engine, (kind, detail) in one.verdicts.items():
            if kind not in FINE:
                print(f"seed {one.seed} on {engine}: {kind} {detail[-700:]}", flush=True)
        if found.programs % EVERY == 0:
            print(f"{_summary(found)}, {time.time() - began:.0f} s", flush=True)

    # A sweep that is stopped keeps what it has.
    signal.signal(signal.SIGTERM, _stopped)
    found = long.run(told)
    _report(found)
    return 1 if found.wrong else 0


def _stopped(_number: int, _frame: object) -> None:
    sys.exit(143)


def _engines(names: str) -> list[str]:
    return [engine for engine in quick.ALL if engine.partition("/")[0] in names.split(",")]


def _summary(found: Sweep) -> str:
    share = 1 - found.accepted / found.programs
    wrong = sum(map(len, found.wrong.values()))
    cpu = found.seconds / found.programs
    return f"{found.programs} programs, {wrong} wrong, {share:.1%} refused, {cpu:.3f} s CPU each"


def _report(found: Sweep) -> None:
    print(table(found.cells))
    for engine, kinds in found.kinds.items():
        print(f"{engine}: " + ", ".join(f"{kind} {count}" for kind, count in kinds.most_common()))
        for kind, count in found.refused.get(engine, Counter[str]()).most_common():
            print(f"    refused {count:6} {kind}")
        if engine in found.wrong:
            print(f"    seeds {' '.join(map(str, found.wrong[engine]))}")
    for end, count in found.ends.most_common():
        print(f"ended {count:6} {end}")
    print(_summary(found))


if __name__ == "__main__":
    sys.exit(main())
