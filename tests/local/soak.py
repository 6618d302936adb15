"""Many runs, a worker, and something that kills its processes all the time; then the books.

    python -m tests.local.soak --runs 10000 --seconds 600

Starts the runs bit by bit, sends each its events (some of them twice), and kills with SIGKILL now
the process that drives runs, now the worker over it, which is started again. When the time is up
the killing stops, and what is left may come to its end. Then:

- every run has completed, with the result that its input gives;
- every step has one recorded end, and ran at most as often as attempts of it are recorded;
- every event was taken once, whoever sent it how often;
- logs have no gaps, nobody holds a lease, and nothing is due any more.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, final

from perdure.codec.text import Json
from perdure.driver import FlowName
from perdure.local.journal import Journal
from perdure.local.log import Entry, EventLog
from perdure.local.program import Program, load_program
from perdure.local.schema import open_store
from perdure.local.writes import claim, deliver
from perdure.store.inbox import events
from perdure.store.protocol import EventState, RunRecord, Status
from perdure.store.runs import digest_of, find_run
from perdure.store.sqlite import SqliteStore
from tests.local.project import write_project

FLOW = """
import asyncio
import os
from perdure import Retry, event, flow, gather, race, sleep, step, this_step


def note() -> None:
    line = os.open("effects.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(line, (this_step().key + "\\n").encode())
    os.close(line)


@step
async def add(a: int, b: int) -> int:
    note()
    await asyncio.sleep(0.002)
    return a + b


@step(retry=Retry(attempts=3, delay=0.1, jitter=False))
def twice(a: int) -> int:
    note()
    if a % 7 == 0 and this_step().attempt == 1:
        raise ConnectionError("busy")
    return 2 * a


@flow
async def part(n: int) -> int:
    return await add(n, await twice(n))


@flow
async def job(n: int) -> int:
    first = await add(n, 1)
    both = await gather(part(n), twice(n))
    said = await event("go", int)
    winner, late = await race(never=event("never"), late=sleep(1))
    last = await add(first + sum(both), said)
    again = await event("go", int)
    return last + again
"""


def result_of(n: int) -> int:
    """What `job(n)` gives, when 10 and 100 are sent."""
    return (n + 1) + (n + 2 * n) + 2 * n + 10 + 100


class Counts(NamedTuple):
    """What happened."""

    runs: int
    kills: int
    worker_kills: int
    seconds: float
    steps: int
    repeated: int
    """Bodies of steps that ran once more because their process had died."""


@final
class Soak:
    """One soak in a folder."""

    def __init__(self, folder: Path, runs: int, seed: int) -> None:
        self._root = write_project(folder, app=FLOW)
        self._runs = runs
        self._chance = random.Random(seed)
        self._program: Program = load_program(FlowName(self._root / "app.py", "job"))
        self._store: SqliteStore = open_store(self._root / ".perdure" / "runs.db")
        self._started = 0
        self._sent: Counter[str] = Counter()
        self._kills = self._worker_kills = 0
        self._worker: subprocess.Popen[bytes] | None = None

    def run(self, seconds: float, drain: float) -> Counts:
        """Start, send and kill for some seconds, then wait for the end, and check everything."""
        began = time.monotonic()
        next_kill = began + 3
        while time.monotonic() < began + seconds or not self._kills + self._worker_kills:
            self._keep_working()
            share = (time.monotonic() - began) / (seconds * 0.7)
            self._start(min(self._runs, int(self._runs * share) + 1))
            self._send()
            if time.monotonic() > next_kill:
                self._kill()
                next_kill = time.monotonic() + self._chance.uniform(0.5, 4)
            time.sleep(0.2)
        self._start(self._runs)
        end = time.monotonic() + drain
        while self._left() and time.monotonic() < end:
            self._keep_working()
            self._send()
            time.sleep(0.3)
        self._stop()
        took = time.monotonic() - began
        steps, repeated = self._check()
        return Counts(self._runs, self._kills, self._worker_kills, took, steps, repeated)

    def _keep_working(self) -> None:
        if self._worker is None or self._worker.poll() is not None:
            self._worker = subprocess.Popen(
                [sys.executable, "-m", "perdure", "worker"],
                cwd=self._root,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )

    def _stop(self) -> None:
        if self._worker is not None and self._worker.poll() is None:  # the last kill may be its
            self._worker.terminate()
            code = self._worker.wait(60)
            assert code == 0, f"the worker left with {code}"

    def _kill(self) -> None:
        """Kill the process that drives runs, or, one time in four, the worker over it."""
        assert self._worker is not None
        if self._chance.random() < 0.25:
            self._worker.kill()
            self._worker.wait()
            self._worker_kills += 1
            return
        children = Path(f"/proc/{self._worker.pid}/task/{self._worker.pid}/children")
        for child in children.read_text().split():
            os.kill(int(child), signal.SIGKILL)
            self._kills += 1

    def _start(self, upto: int) -> None:
        versions = self._program.versions(self._store)
        while self._started < upto:
            last = min(upto, self._started + 200)
            with self._store.transaction():
                for number in range(self._started, last):
                    given: dict[str, Json] = {"n": number}
                    record = RunRecord(
                        run=f"j{number}",
                        flow=self._program.flow.__perdure_ref__,
                        input_digest=digest_of(given),
                        input=given,
                        versions=versions,
                        seed=f"{number:032x}",
                        started=time.time(),
                    )
                    claim(self._store, record)
            self._started = last

    def _send(self) -> None:
        """Send what live waits wait for; some of it twice, under the same id."""
        query = (
            "SELECT partition FROM items WHERE sort IN ('waiter/go', 'waiter/go.2')"
            " AND json_extract(body, '$.state') = 'live'"
        )
        rows = self._store.connection.execute(query).fetchall()
        for first in range(0, len(rows), 200):
            with self._store.transaction():
                for (partition,) in rows[first : first + 200]:
                    self._send_to(str(partition).removeprefix("run/"))

    def _send_to(self, run: str) -> None:
        count = 1 + len({e.id for e in events(self._store, run, "go")})
        payload = 10 if count == 1 else 100
        for _ in range(1 + (self._chance.random() < 0.1)):
            deliver(self._store, run, "go", payload, id=f"go{count}", now=time.time())
        self._sent[run] = max(self._sent[run], count)

    def _left(self) -> int:
        query = "SELECT count(*) FROM wakes"
        return int(self._store.connection.execute(query).fetchone()[0])

    # -- the books ------------------------------------------------------------------------------

    def _check(self) -> tuple[int, int]:
        assert self._left() == 0, f"{self._left()} runs have not ended"
        leases = self._store.connection.execute("SELECT * FROM leases").fetchall()
        # A worker that was killed last leaves word that it serves, which lapses.
        held = [row for row in leases if not str(row[0]).startswith("~worker/")]
        assert held == [], held
        assert len(leases) <= self._worker_kills, leases
        for number in range(self._runs):
            record = find_run(self._store, f"j{number}")
            assert record.end is not None
            assert record.end.status is Status.COMPLETED, record
            assert record.end.value == result_of(number), record
            states = [event.state for event in events(self._store, record.run, "go")]
            assert states == [EventState.TAKEN, EventState.TAKEN], (record.run, states)
        return self._check_steps()

    def _check_steps(self) -> tuple[int, int]:
        effects = Counter((self._root / "effects.txt").read_text().splitlines())
        steps = repeated = 0
        for run, entries in self._logs():
            ends = Counter(entry.text("path") for entry in entries if entry.kind == "end")
            assert max(ends.values()) == 1, f"{run}: recorded twice"
            # A driver whose worker was killed stops in order: what is under way is let go, and is
            # made again, although nothing was lost.
            let_go = Counter(entry.text("path") for entry in entries if entry.kind == "released")
            for state in Journal(run, entries).operations.values():
                if state.kind != "step":
                    continue
                steps += 1
                begun = 1 + len(state.failures) + let_go[state.path]
                ran = effects.pop(f"{run}/{state.path}", 0)
                assert 1 <= ran <= begun, (run, state.path, ran, begun)
                repeated += ran - 1 - state.attempts
        assert not effects, f"steps ran that nothing is known of: {[*effects][:5]}"
        return steps, repeated

    def _logs(self) -> Iterator[tuple[str, Sequence[Entry]]]:
        log = EventLog(self._store)
        query = "SELECT run, count(*), min(sequence), max(sequence) FROM log GROUP BY run"
        rows = self._store.connection.execute(query).fetchall()
        assert len(rows) == 2 * self._runs, "each run and its child"
        for run, count, first, last in rows:
            assert (first, last) == (1, count), f"{run}: a gap"
            yield str(run), log.read(str(run))


def main(arguments: Sequence[str]) -> int:
    """Soak, and print what happened."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--drain", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        counts = Soak(Path(folder), given.runs, given.seed).run(given.seconds, given.drain)
    print(json.dumps(counts._asdict()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
