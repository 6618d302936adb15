"""Contract C3 on every example and every case of the corpus: cut anywhere, nothing is lost, and
nothing that is recorded is done again."""

import random
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from perdure.local.clock import SteadyClock
from perdure.local.engine import Engine
from perdure.local.log import EventLog, LostLease
from perdure.local.schema import open_store
from perdure.local.timers import Timers
from perdure.local.virtual import run_flow
from perdure.testing.request import Request, Result
from perdure.testing.scripts import Scripts
from perdure.trace import End, Trace, compare
from tests.conformance.engines import CASES
from tests.local.crashes import Totals, disk_sizes, statements, survives
from tests.local.project import write_project


@pytest.mark.parametrize("case_id", CASES)
def test_a_kill_in_front_of_some_statement_and_a_full_disk_lose_nothing(
    case_id: str, tmp_path: Path
) -> None:
    chance = random.Random(case_id)
    whole = statements(case_id, tmp_path / "whole.db")
    kill = chance.randrange(whole)
    survives(case_id, tmp_path / "killed.db", kill_at=kill, bytes_at_most=None)
    size = chance.choice(disk_sizes(case_id, _folder(tmp_path / "sizes")))
    survives(case_id, tmp_path / "full.db", kill_at=None, bytes_at_most=size)


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


@pytest.mark.slow
@pytest.mark.parametrize("case_id", CASES)
def test_a_kill_in_front_of_any_statement_loses_nothing(case_id: str, tmp_path: Path) -> None:
    totals = Totals()
    for kill in range(statements(case_id, tmp_path / "whole.db")):
        store = tmp_path / f"{kill}.db"
        totals = totals.plus(survives(case_id, store, kill_at=kill, bytes_at_most=None))
        for path in tmp_path.glob(f"{kill}.db*"):
            path.unlink()
    print(f"SWEEP statements {case_id} {totals}")


@pytest.mark.slow
@pytest.mark.parametrize("case_id", CASES)
def test_a_write_that_stops_in_the_middle_loses_nothing(case_id: str, tmp_path: Path) -> None:
    totals = Totals()
    for size in disk_sizes(case_id, _folder(tmp_path / "sizes")):
        store = tmp_path / f"{size}.db"
        totals = totals.plus(survives(case_id, store, kill_at=None, bytes_at_most=size))
        for path in tmp_path.glob(f"{size}.db*"):
            path.unlink()
    print(f"SWEEP writes {case_id} {totals}")


FLOW = """
import time
from perdure import event, flow, sleep, step


@step
async def work(n: int) -> int: ...


@flow
async def timed() -> list[float]:
    seen = [time.time()]
    for n in range(4):
        await work(n)
        seen.append(time.time())
        await sleep("10m")
        seen.append(time.time())
    try:
        await event("never", timeout="1h")
    except TimeoutError:
        seen.append(time.time())
    return seen


@step
async def fill(n: int) -> str: ...


@flow
async def stuffed() -> int:
    total = 0
    for n in range(12):
        try:
            total += len(await fill(n))
        except Exception:
            total = -1
    return total
"""


def same(n: int) -> int:
    return n


def much(n: int) -> str:
    return "x" * 3000


ANSWERS: dict[str, dict[str, Callable[[int], object]]] = {
    "timed": {"work": same},
    "stuffed": {"fill": much},
}


def app(folder: Path) -> Path:
    return write_project(folder, app=FLOW) / "app.py"


def ran(file: Path, flow: str, **how: Any) -> Result:
    request = Request(file, flow, {}, Scripts(ANSWERS[flow]), ())
    return run_flow(request, **how)


@pytest.mark.parametrize("seed", range(8))
def test_a_clock_that_jumps_back_and_forth_changes_nothing_but_times(
    tmp_path: Path, seed: int
) -> None:
    file = app(tmp_path)
    expected = ran(file, "timed")
    chance = random.Random(seed)

    def jumpy(engine: Engine) -> None:
        """Set the wall clock by up to a day at every fifth look, in each life another way."""
        offset, looks, inner = [0.0], [0], engine.now

        def wall() -> float:
            looks[0] += 1
            if looks[0] % 5 == 0:
                offset[0] = chance.uniform(-86_400, 86_400)
            return inner() + offset[0]

        engine.now = SteadyClock(wall, engine.loop.time)
        engine.timers = Timers(engine.loop, engine.now)

    for crash_after in ([], [3], [5, 4], [2, 2, 2, 2]):
        got = ran(file, "timed", prepare=jumpy, crash_after=crash_after)
        assert compare(expected.whole_trace._replace(end=End("done")), _ended(got)) == []
        seen = got.result
        assert seen == sorted(seen), "time never goes back for a flow"


def _ended(result: Result) -> Trace:
    return result.whole_trace._replace(end=End(result.status))


@pytest.mark.parametrize("room", range(6))
def test_a_full_disk_stops_the_engine_and_no_flow_sees_it(tmp_path: Path, room: int) -> None:
    file, store = app(tmp_path), tmp_path / "runs.db"

    def fill(engine: Engine) -> None:
        (pages,) = engine.store.connection.execute("PRAGMA page_count").fetchone()
        engine.store.connection.execute(f"PRAGMA max_page_count = {pages + room}")

    with pytest.raises(sqlite3.OperationalError, match="full"):
        ran(file, "stuffed", store=store, prepare=fill)
    left = open_store(store)
    left.connection.execute("DELETE FROM leases")  # the process would be gone
    left.close()
    resumed = ran(file, "stuffed", store=store)
    assert resumed.status == "done"
    assert compare(_ended(ran(file, "stuffed")), _ended(resumed)) == []


def test_a_process_that_lost_its_lease_stops_at_its_next_write(tmp_path: Path) -> None:
    """As if it had been suspended for so long that another host took the run over."""
    file, store = app(tmp_path), tmp_path / "runs.db"
    first: list[Engine] = []

    def take_over(engine: Engine) -> None:
        first.append(engine)

        def rob() -> None:
            engine.store.connection.execute("DELETE FROM leases")
            ran(file, "timed", store=store)

        engine.loop.happen_at(1000.0, rob)

    with pytest.raises((LostLease, RuntimeError)):
        ran(file, "timed", store=store, prepare=take_over)
    whole = open_store(store)
    sequences = whole.connection.execute("SELECT sequence FROM log ORDER BY sequence").fetchall()
    ends = [e.text("path") for e in EventLog(whole).read("run") if e.kind == "end"]
    whole.close()
    assert [n for (n,) in sequences] == list(range(1, len(sequences) + 1))
    assert len(ends) == len(set(ends)), "nothing is recorded twice"
