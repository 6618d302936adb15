"""The local engine beside DBOS on SQLite, in one run: recorded steps, waits, resuming.

    uv sync --group benchmark
    uv run python -m benchmarks.local_engine [PAGE] [--steps N] [--rounds N] [--waiting N]

Prints a table in Markdown, and puts it into PAGE between the lines that name this module. The
engines take turns, round by round, in processes of their own, because the disk they share is
what they wait for. Both run a flow that awaits one step after another; a step adds two numbers.
perdure: `synchronous=FULL`, as always. DBOS: as it comes, and with `journal_mode=WAL` put on its
database before (its `synchronous` stays what SQLite has by default, FULL).
"""

import argparse
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import final

FIRST, LAST = "<!-- benchmarks.local_engine -->", "<!-- end -->"
SETTINGS = '[tool.perdure]\npython = "3.13"\n'
FLOW = """
from perdure import event, flow, step


@step
async def add(total: int, n: int) -> int:
    return total + n


@flow
async def count(steps: int) -> int:
    total = 0
    for n in range(steps):
        total = await add(total, n)
    return total


@flow
async def side_by_side(steps: int) -> int:
    from perdure import gather
    return sum(await gather(*[add(n, 1) for n in range(steps)]))


@flow
async def count_and_wait(steps: int) -> int:
    total = 0
    for n in range(steps):
        total = await add(total, n)
    return total + await event("go", int)
"""
DBOS = """
import sqlite3, sys, time
from dbos import DBOS
from sqlalchemy import Engine, event

if sqlite3.sqlite_version_info < (3, 42):
    # DBOS asks for the time as `unixepoch('subsec')`, which this SQLite answers with NULL.
    @event.listens_for(Engine, "connect")
    def know_subsec(connection, _):
        connection.create_function("unixepoch", -1, lambda *_: time.time())

file, wal, steps = sys.argv[1], sys.argv[2] == "wal", int(sys.argv[3])
if wal:
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.close()
DBOS(config={"name": "bench", "system_database_url": f"sqlite:///{file}", "log_level": "ERROR",
             "run_admin_server": False})

@DBOS.step()
def add(total: int, n: int) -> int:
    return total + n

@DBOS.workflow()
def count(steps: int) -> int:
    total = 0
    for n in range(steps):
        total = add(total, n)
    return total

DBOS.launch()
began = time.perf_counter()
count(steps)
print("STEPS/S", steps / (time.perf_counter() - began))
DBOS.destroy()
"""


def main(arguments: Sequence[str]) -> int:
    """Measure everything; 0."""
    parser = argparse.ArgumentParser()
    parser.add_argument("pages", nargs="*", type=Path)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--waiting", type=int, default=10_000)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        bench = _Bench(Path(folder))
        table = "\n".join(
            [
                *bench.steps(given.steps, given.rounds),
                "",
                "| perdure | |",
                "|---|---|",
                bench.parallel(given.steps),
                bench.resume(10_000),
                bench.waiting(given.waiting),
            ]
        )
    print(table)
    for page in given.pages:
        before, _, rest = page.read_text("utf-8").partition(FIRST)
        after = rest.partition(LAST)[2]
        page.write_text(f"{before}{FIRST}\n{table}\n{LAST}{after}", "utf-8")
    return 0


@final
class _Bench:
    """Runs both in a folder with a cache of bytecode of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(folder / "cache")}
        self._environment.pop("PYTHONDONTWRITEBYTECODE", None)
        self._environment["PERDURE_STORE"] = str(folder / "runs.db")
        (folder / "pyproject.toml").write_text(SETTINGS)
        (folder / "app.py").write_text(FLOW)
        (folder / "dbos_app.py").write_text(DBOS)
        self._runs = 0

    def steps(self, count: int, rounds: int) -> list[str]:
        """The table of recorded steps per second."""
        ours: list[float] = []
        default: list[float] = []
        wal: list[float] = []
        for number in range(rounds):
            ours.append(self._perdure(count))
            default.append(self._dbos(f"{number}.sqlite", "default", count // 4))
            wal.append(self._dbos(f"{number}.wal.sqlite", "wal", count // 4))
        head = f"| recorded steps/s, one after another | median of {rounds} | best | worst |"
        return [
            head,
            "|---|---|---|---|",
            *(
                f"| {name} | {statistics.median(all_):,.0f} | {max(all_):,.0f} | {min(all_):,.0f} |"
                for name, all_ in (
                    ("perdure (WAL, `synchronous=FULL`)", ours),
                    ("DBOS on SQLite, as it comes", default),
                    ("DBOS on SQLite, WAL", wal),
                )
            ),
        ]

    def parallel(self, count: int) -> str:
        """A row: steps that run side by side share commits."""
        return f"| steps/s, {count:,} side by side | {self._perdure(count, 'side_by_side'):,.0f} |"

    def resume(self, count: int) -> str:
        """A row: what it takes until a run of so many steps waits again."""
        self._run("run", "app.py:count_and_wait", f"steps={count}", "--id", "big", "--detach")
        took: list[float] = []
        cpu: list[float] = []
        for _ in range(3):
            began = time.perf_counter()
            cpu.append(self._run("resume", "big", "--detach"))
            took.append(time.perf_counter() - began)
        return (
            f"| resuming a run of {count:,} recorded steps, the whole process |"
            f" {min(took):.2f} s ({min(cpu):.2f} s CPU) |"
        )

    def waiting(self, count: int) -> str:
        """A row: what a worker costs while so many runs wait."""
        self._start_waiting(count)
        worker = subprocess.Popen(
            [sys.executable, "-m", "perdure", "worker"], cwd=self._folder, env=self._environment
        )
        try:
            while self._live_waits() < count:
                time.sleep(0.5)
            time.sleep(2)
            before, began = _cpu_of_tree(worker.pid), time.monotonic()
            time.sleep(20)
            share = (_cpu_of_tree(worker.pid) - before) / (time.monotonic() - began)
            memory = _memory_of_tree(worker.pid)
        finally:
            worker.terminate()
            worker.wait()
        return (
            f"| a worker while {count:,} runs wait | {100 * share:.1f} % of one core,"
            f" {memory:.0f} MB in all its processes |"
        )

    def _start_waiting(self, count: int) -> None:
        from perdure.codec.text import Json
        from perdure.driver import FlowName
        from perdure.local.program import load_program
        from perdure.local.schema import open_store
        from perdure.local.writes import claim
        from perdure.store.protocol import RunRecord
        from perdure.store.runs import digest_of

        program = load_program(FlowName(self._folder / "app.py", "count_and_wait"))
        store = open_store(Path(self._environment["PERDURE_STORE"]))
        versions = program.versions(store)
        for first in range(0, count, 500):
            with store.transaction():
                for number in range(first, min(first + 500, count)):
                    given: dict[str, Json] = {"steps": 1}
                    claim(
                        store,
                        RunRecord(
                            run=f"waits-{number}",
                            flow=program.flow.__perdure_ref__,
                            input_digest=digest_of(given),
                            input=given,
                            versions=versions,
                            seed=f"{number:032x}",
                            started=time.time(),
                        ),
                    )
        store.close()

    def _live_waits(self) -> int:
        query = (
            "SELECT count(*) FROM items WHERE sort = 'waiter/go' AND partition LIKE 'run/waits-%'"
        )
        with closing(sqlite3.connect(self._environment["PERDURE_STORE"])) as connection:
            return int(connection.execute(query).fetchone()[0])

    def _perdure(self, count: int, flow: str = "count") -> float:
        self._runs += 1
        name = f"r{self._runs}"
        self._run("run", f"app.py:{flow}", f"steps={count}", "--id", name)
        with closing(sqlite3.connect(self._environment["PERDURE_STORE"])) as connection:
            query = "SELECT body FROM items WHERE partition = ? AND sort = 'record'"
            body = json.loads(connection.execute(query, (f"run/{name}",)).fetchone()[0])
        return float(count / (body["ended"] - body["started"]))

    def _dbos(self, file: str, kind: str, count: int) -> float:
        command = [sys.executable, "dbos_app.py", file, kind, str(count)]
        done = subprocess.run(
            command,
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(done.stderr)
        return float(done.stdout.rpartition("STEPS/S")[2])

    def _run(self, *arguments: str) -> float:
        process = subprocess.Popen(
            [sys.executable, "-m", "perdure", *arguments],
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(process.pid, 0)
        if os.waitstatus_to_exitcode(status) not in (0, 4):
            raise SystemExit(f"perdure {' '.join(arguments)}: {status}")
        return usage.ru_utime + usage.ru_stime


def _tree(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(below for child in children for below in _tree(int(child)))]


def _cpu_of_tree(pid: int) -> float:
    ticks = 0
    for each in _tree(pid):
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _memory_of_tree(pid: int) -> float:
    pages = sum(int(Path(f"/proc/{each}/statm").read_text().split()[1]) for each in _tree(pid))
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
