"""`perdure worker`: many runs, several processes, clean stops, and deaths of any of them."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.local.project import command, popen, write_project

FLOW = """
import asyncio
import os
from perdure import event, flow, sleep, step


def note(key: str) -> None:
    with open("effects.txt", "a") as file:
        file.write(key + "\\n")


@step
async def work(name: str, part: int) -> int:
    note(f"begin {name} {part}")
    await asyncio.sleep(0.4)
    note(f"end {name} {part}")
    return part


@flow
async def inner(name: str) -> int:
    return await event("more", int)


@flow
async def job(name: str, parts: int = 2, wait: bool = True) -> int:
    total = 0
    for part in range(parts):
        total += await work(name, part)
    if wait:
        await sleep(1)
        total += await inner(name)
    return total


@step
async def long(name: str) -> None:
    note(f"begin {name}")
    await asyncio.sleep(0.1 if effects_of(name) > 1 else 60)


def effects_of(name: str) -> int:
    with open("effects.txt") as file:
        return file.read().splitlines().count(f"begin {name}")


@flow
async def slow(name: str) -> str:
    await long(name)
    return "ended"


@flow
async def waits(n: int) -> int:
    return n + await event("go", int)
"""
STARTS = """
import asyncio, sys
from app import job, slow, waits

async def main() -> None:
    kind, first, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    for n in range(first, last):
        if kind == "waits":
            await waits.start(n, id=f"w{n}")
        elif kind == "slow":
            await slow.start(f"s{n}", id=f"s{n}")
        else:
            await job.start(f"j{n}", wait=kind == "job", id=f"j{n}")

asyncio.run(main())
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_project(tmp_path, app=FLOW, starts=STARTS)


@contextmanager
def worker(root: Path, *options: str) -> "Generator[subprocess.Popen[str]]":
    process = popen(root, "worker", *options)
    try:
        until(lambda: serving(root))
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def rows(root: Path, query: str) -> list[tuple[object, ...]]:
    path = root / ".perdure" / "runs.db"
    if not path.exists():
        return []
    with closing(sqlite3.connect(path, timeout=10)) as connection:
        try:
            return connection.execute(query).fetchall()
        except sqlite3.OperationalError:
            return []


def serving(root: Path) -> bool:
    return bool(rows(root, "SELECT 1 FROM leases WHERE run LIKE '~worker/%'"))


def until(holds: Callable[[], object], seconds: float = 90.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came so far"
        time.sleep(0.03)


def start(root: Path, kind: str, first: int, last: int) -> None:
    import sys

    arguments = [sys.executable, "starts.py", kind, str(first), str(last)]
    environment = {name: text for name, text in os.environ.items() if "PERDURE" not in name}
    subprocess.run(arguments, cwd=root, env=environment, check=True, timeout=60)


def statuses(root: Path) -> dict[str, str]:
    listed = json.loads(command(root, "runs", "--json", "--limit", "1000"))
    return {row["run"]: row["status"] for row in listed}


def waiting(root: Path) -> int:
    found = rows(root, "SELECT body FROM items WHERE sort LIKE 'waiter/%'")
    return sum(json.loads(str(body))["state"] == "live" for (body,) in found)


def effects(root: Path) -> Counter[str]:
    path = root / "effects.txt"
    return Counter(path.read_text().splitlines() if path.exists() else [])


def owners(root: Path) -> set[int]:
    query = "SELECT DISTINCT pid FROM leases WHERE run NOT LIKE '~%'"
    return {int(str(pid)) for (pid,) in rows(root, query)}


def test_a_worker_drives_what_is_started_slept_and_sent(root: Path) -> None:
    with worker(root) as process:
        start(root, "job", 0, 3)
        until(lambda: waiting(root) == 3)
        out = command(root, "send", "j1/inner", "more", "--payload", "7")
        assert "is stored for run j1/inner; process" in out
        until(lambda: statuses(root)["j1"] == "completed")
        command(root, "cancel", "j2")
        until(lambda: statuses(root)["j2"] == "cancelled")
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=30)
        assert process.returncode == 0
        assert "[j1] completed" in said
        assert "[j2] cancelled" in said
    assert rows(root, "SELECT * FROM leases") == [], "it let go of everything"
    assert statuses(root)["j0"] == "running"
    assert json.loads(command(root, "send", "j0/inner", "more", "--payload", "1")) == 2
    assert set(effects(root).values()) == {1}


def test_steps_under_way_end_when_it_is_stopped_and_no_other_begins(root: Path) -> None:
    with worker(root) as process:
        start(root, "quick", 0, 1)
        until(lambda: effects(root)["begin j0 0"])
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
        assert process.returncode == 0
    assert effects(root) == {"begin j0 0": 1, "end j0 0": 1}
    command(root, "worker", "--once")
    assert statuses(root) == {"j0": "completed"}
    assert effects(root) == dict.fromkeys(("begin j0 0", "end j0 0", "begin j0 1", "end j0 1"), 1)
    shown = json.loads(command(root, "show", "j0", "--json"))
    assert all(not each["failures"] for each in shown["operations"])


def test_a_second_signal_does_not_wait_for_the_steps_under_way(root: Path) -> None:
    with worker(root, "--grace", "50") as process:
        start(root, "slow", 0, 1)
        until(lambda: effects(root)["begin s0"])
        process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert process.poll() is None, "the first signal lets the step go on"
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
        assert process.returncode == 0
    assert rows(root, "SELECT * FROM leases") == []
    command(root, "worker", "--once")
    assert statuses(root) == {"s0": "completed"}
    (shown,) = json.loads(command(root, "show", "s0", "--json"))["operations"]
    assert not shown["failures"], "it was let go in an orderly way: no attempt was lost"


def test_a_killed_process_is_replaced_and_its_runs_taken_over(root: Path) -> None:
    with worker(root):
        start(root, "quick", 0, 4)
        until(lambda: effects(root)["end j0 0"])
        (pid,) = owners(root)
        os.kill(pid, signal.SIGKILL)
        until(lambda: set(statuses(root).values()) == {"completed"})
    # What had run and was not recorded yet runs once more; nothing else does.
    assert all(1 <= effects(root)[f"end j{n} {part}"] <= 2 for n in range(4) for part in range(2))


def test_when_the_worker_is_killed_its_processes_stop_and_another_takes_over(root: Path) -> None:
    with worker(root) as process:
        start(root, "job", 0, 2)
        until(lambda: effects(root)["end j0 1"])
        (pid,) = owners(root)
        process.kill()
        process.wait()
    with worker(root):
        until(lambda: waiting(root) == 2)
        assert pid not in owners(root)
    assert all(1 <= effects(root)[f"end j{n} {part}"] <= 2 for n in range(2) for part in range(2))


def test_two_workers_share_a_store_and_do_nothing_twice(root: Path) -> None:
    with worker(root), worker(root):
        start(root, "quick", 0, 12)
        until(lambda: list(statuses(root).values()) == ["completed"] * 12)
    assert effects(root).total() == 12 * 4
    assert set(effects(root).values()) == {1}


def test_more_runs_than_are_kept_wait_in_the_store_alone(root: Path) -> None:
    with worker(root):
        start(root, "waits", 0, 150)
        until(lambda: waiting(root) == 150)
        until(lambda: len(rows(root, "SELECT run FROM leases")) <= 102)
        for n in (0, 75, 149):
            command(root, "send", f"w{n}", "go", "--payload", "1")
        until(lambda: list(statuses(root).values()).count("completed") == 3)
    shown = json.loads(command(root, "show", "w75", "--json"))
    assert shown["result"] == 76


def test_a_program_that_cannot_be_loaded_keeps_no_other_from_running(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZERO", "1")
    (root / "app.py").write_text(FLOW + "\nONE = 1 / int(os.environ['ZERO'])\n")
    command(root, "run", "app.py:waits", "n=1", "--id", "w0", "--detach", code=4)
    command(root, "send", "w0", "go", "--payload", "1", "--no-drive")
    monkeypatch.delenv("ZERO")
    (root / "app.py").write_text(FLOW)
    with worker(root) as process:
        start(root, "quick", 1, 2)
        until(lambda: statuses(root)["j1"] == "completed")
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=30)
    assert "the process of app:waits left with 1; again in" in said


def test_a_run_of_a_flow_in_another_file_is_found(tmp_path: Path) -> None:
    other = """
from perdure import event, flow


@flow
async def later(n: int) -> int:
    return n + await event("go", int)
"""
    first = """
from other import later
from perdure import flow


@flow
async def first(n: int) -> int:
    await later.start(n, id="l")
    return await later(n)
"""
    root = write_project(tmp_path, app=first, other=other)
    command(root, "run", "app.py", "n=1", "--id", "a", "--detach", code=4)
    assert json.loads(command(root, "send", "l", "go", "--payload", "5")) == 6
    command(root, "send", "a/later", "go", "--payload", "6", "--no-drive")
    command(root, "worker", "--once")
    assert statuses(root) == {"l": "completed", "a": "completed"}


SLOWLY = """
import sys
import time
from perdure.cli.main import main
from perdure.local.engine import Engine

drive = Engine.drive


def late(engine, record, flow):
    time.sleep(3)
    return drive(engine, record, flow)


Engine.drive = late
main()
"""


def slowly(root: Path, *arguments: str) -> tuple[int, str]:
    """A command that a worker has time to be faster than."""
    process = subprocess.run(
        [sys.executable, "slowly.py", *arguments],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return process.returncode, process.stdout + process.stderr


def test_no_worker_takes_a_run_that_a_command_means_to_drive(root: Path) -> None:
    write_project(root, slowly=SLOWLY)
    start(root, "job", 0, 1)
    with worker(root):
        until(lambda: owners(root))
        assert slowly(root, "run", "app.py:job", "name=a", "wait=false", "--id", "a")[0] == 0
        failing = ("--inject", "work=fail")
        code, said = slowly(root, "fork", "a", "--at", "work", "--id", "b", *failing)
        assert (code, "Injected: injected" in said) == (1, True)
        code, said = slowly(root, "retry", "b", *failing)
        assert (code, "Injected: injected" in said) == (1, True)
