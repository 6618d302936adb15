"""How much `perdure compile` costs, beside `sfnx compile` of an equivalent flow, in one run.

    uv run python -m benchmarks.compile_time [PAGE]

Prints a table in Markdown, and puts it into PAGE between the lines that name this module. A cost is
the CPU seconds and the peak memory of a whole process (user + system, `wait4`): the smallest of
several runs, which alternate between the two tools. Caches of bytecode are warm, as they are after
an installation. The flow does, over and over: a step, a decision on its result with a step in one
arm, a comprehension and a sum.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, final

BIN = Path(sys.executable).parent
FIRST, LAST = "<!-- benchmarks.compile_time -->", "<!-- end -->"


@final
class Size(NamedTuple):
    """A source to compile, and how often."""

    lines: int
    flows: int
    runs: int
    beside: int
    """Runs of sfnx; 0 where it would take longer than anybody waits."""
    command: tuple[str, ...] = ("compile", "--target", "aws")


SIZES = (
    Size(20, 1, 9, 5),
    Size(200, 1, 5, 3),
    Size(2_000, 1, 3, 1),
    Size(20_000, 50, 2, 0),
    # Step Functions takes no definition of that size: down to the states, without writing them.
    Size(20_000, 1, 2, 0, ("ir", "--after", "place")),
)


@final
class Cost(NamedTuple):
    """Of one process: CPU seconds and peak memory in MB."""

    cpu: float
    memory: float


def main(arguments: Sequence[str]) -> int:
    """Measure all sizes; 0."""
    with tempfile.TemporaryDirectory() as folder:
        bench = _Bench(Path(folder))
        rows = ["| source | perdure | sfnx |", "|---|---|---|"]
        rows += [bench.row(size) for size in SIZES]
        table = "\n".join([*rows, f"| `import perdure`, over bare Python | {bench.imports()} | |"])
    print(table)
    for page in map(Path, arguments):
        before, _, rest = page.read_text("utf-8").partition(FIRST)
        after = rest.partition(LAST)[2]
        page.write_text(f"{before}{FIRST}\n{table}\n{LAST}{after}", "utf-8")
    return 0


@final
class _Bench:
    """Runs the tools in a folder with a cache of bytecode of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(folder / "cache")}
        self._environment.pop("PYTHONDONTWRITEBYTECODE", None)
        (folder / "pyproject.toml").touch()

    def row(self, size: Size) -> str:
        """A row of the table."""
        ours, theirs = f"flow_{size.lines}_{size.flows}.py", f"sfnx_{size.lines}.py"
        (self._folder / ours).write_text(perdure_source(size.lines, size.flows))
        (self._folder / theirs).write_text(sfnx_source(size.lines))
        verb, *options = size.command
        # A folder holds a flow of one name from one file only.
        out = ["--out", ours.removesuffix(".py")] if verb == "compile" else []
        mine = ["perdure", verb, ours, *options, *out]
        other = ["sfnx", "compile", theirs, "-o", "sfnx.json"]
        ours_cost: list[Cost] = []
        theirs_cost: list[Cost] = []
        for number in range(size.runs):
            ours_cost.append(self._measure(mine))
            if number < size.beside:
                theirs_cost.append(self._measure(other))
        flows = f"{size.flows} flow{'s' if size.flows > 1 else ''}"
        what = "" if verb == "compile" else f" (`{' '.join(size.command)}`)"
        return (
            f"| {size.lines:,} lines, {flows}{what} | {_text(ours_cost)} | {_text(theirs_cost)} |"
        )

    def imports(self) -> str:
        """What `import perdure` adds to a process."""
        bare = [self._measure(["python", "-c", "pass"]).cpu for _ in range(15)]
        ours = [self._measure(["python", "-c", "import perdure"]).cpu for _ in range(15)]
        return f"{1000 * (min(ours) - min(bare)):.1f} ms"

    def _measure(self, command: list[str]) -> Cost:
        process = subprocess.Popen(
            [str(BIN / command[0]), *command[1:]],
            stdout=subprocess.DEVNULL,
            cwd=self._folder,
            env=self._environment,
        )
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"{' '.join(command)}: status {status}")
        return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def _text(costs: list[Cost]) -> str:
    if not costs:
        return "-"
    return f"{min(cost.cpu for cost in costs):.2f} s, {max(cost.memory for cost in costs):.0f} MB"


def perdure_source(lines: int, flows: int) -> str:
    """A module of so many lines, in so many flows."""
    text = ["from perdure import flow, step", "", "", "@step"]
    text += ["async def work(x: int, tag: str = '') -> int:", "    return x", ""]
    for number in range(flows):
        text += ["", "@flow", f"async def main{number}(x: int) -> int:", "    total = x"]
        for k in range(_rounds(lines, flows)):
            text += [
                f"    a{k} = await work(total, 'n{k}')",
                f"    if a{k} > {k}:",
                f"        total += a{k} * 2",
                "    else:",
                "        total = await work(total + 1)",
                f"    b{k} = [v * total for v in range(3)]",
                f"    total += sum(b{k})",
            ]
        text += ["    return total", ""]
    return "\n".join(text) + "\n"


def sfnx_source(lines: int) -> str:
    """The same flow in the spelling of sfnx."""
    text = ["from sfnx import state_machine, task", "", "", "@state_machine"]
    text += ["def main(input: dict):", '    total: int = input["x"]']
    for k in range(_rounds(lines, 1)):
        text += [
            f"    a{k}: int = {_task('total', f'n{k}')}",
            f"    if a{k} > {k}:",
            f"        total += a{k} * 2",
            "    else:",
            f"        total = {_task('total + 1', '')}",
            f"    b{k}: list[int] = [v * total for v in range(3)]",
            f"    total += sum(b{k})",
        ]
    return "\n".join([*text, "    return total", ""])


def _task(x: str, tag: str) -> str:
    payload = f'{{"FunctionName": "work", "Payload": {{"x": {x}, "tag": "{tag}"}}}}'
    return f'task("arn:aws:states:::lambda:invoke", {payload})["Payload"]'


def _rounds(lines: int, flows: int) -> int:
    return max(1, (lines - 8) // flows // 7)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
