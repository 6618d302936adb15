"""Runs from ordinary code: start, result, send, ask and cancel on handles of the local store."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

from tests.local.project import command, write_project

FLOW = """
from dataclasses import dataclass
from perdure import event, flow, reply, step


@dataclass
class Order:
    id: str


@step
async def greet(order: Order) -> str:
    return "hello " + order.id


@flow
async def talk(order: Order) -> Order:
    said = await greet(order)
    name = await event("name", str)
    await reply("name", f"{said}, {name}")
    last = await event("last", str)
    return Order(last)
"""
MAIN = """
import asyncio
from app import Order, talk
from perdure import RunConflict, Unanswered


async def main() -> None:
    handle = await talk.start(Order("o"), id="t")
    again = await talk.start(Order("o"), id="t")
    assert again == handle == talk.run("t")
    try:
        await talk.start(Order("p"), id="t")
    except RunConflict as error:
        print("conflict", error)
    print(await handle.ask("name", "Ada"))
    await handle.send("last", "bye")
    result = await handle.result()
    assert type(result) is Order
    print(result)
    other = await talk.start(Order("x"))
    await other.cancel()
    try:
        await other.result()
    except asyncio.CancelledError:
        print("cancelled")
    try:
        await other.ask("name", "x")
    except Unanswered:
        print("unanswered")


asyncio.run(main())
"""


def test_a_handle_starts_asks_sends_and_cancels(tmp_path: Path) -> None:
    root = write_project(tmp_path, app=FLOW, main=MAIN)
    done = subprocess.run(
        [sys.executable, "main.py"],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    for line in ("hello o, Ada", "Order(id='bye')", "cancelled", "unanswered"):
        assert line in lines
    assert any(line.startswith("conflict") for line in lines)


TYPED = """
from perdure import event, flow


@flow
async def waits() -> int:
    total = await event("go", dict[str, int])
    return total["a"]
"""
SENDS = """
import asyncio
from app import waits
from perdure import InvalidInput


async def refused(sent) -> None:
    try:
        await sent
    except InvalidInput as error:
        print(error)
    else:
        print("accepted")


async def main() -> None:
    try:
        await waits.start(id="a/b")
    except ValueError as error:
        print(error)
    handle = await waits.start(id="w")
    await refused(handle.send("go", {"a": "x"}))
    await refused(handle.ask("go", {"a": "x"}))
    await refused(handle.send("gp", {"a": 1}))
    await handle.send("go", {"a": 1})
    print(await handle.result())


asyncio.run(main())
"""


def test_what_does_not_fit_is_refused_at_its_sender(tmp_path: Path) -> None:
    root = write_project(tmp_path, app=TYPED, main=SENDS)
    done = subprocess.run(
        [sys.executable, "main.py"],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    wrong_id, sent, asked, unknown, *_ = done.stdout.splitlines()
    assert wrong_id.startswith("`a/b` is no run id")
    assert sent == asked
    assert sent.startswith("the payload of `go` does not fit: `payload")
    assert unknown == "nothing in the flow waits for an event `gp`; the nearest is `go`"


def test_the_process_that_drives_a_run_says_nothing_to_its_starter(tmp_path: Path) -> None:
    root = write_project(tmp_path, app=TYPED, main=SENDS)
    with (tmp_path / "out").open("w+") as out, (tmp_path / "err").open("w+") as err:
        subprocess.run(
            [sys.executable, "main.py"], cwd=root, stdout=out, stderr=err, timeout=60, check=True
        )
        command(root, "show", "w")
        out.seek(0)
        err.seek(0)
        assert len(out.read().splitlines()) == 5
        assert err.read() == ""


MANY = """
import asyncio, sys
from app import waits, naps


async def main() -> None:
    for n in range(20):
        await waits.start(id=f"w{n}")
    nap = await naps.start(id="nap")
    print(await nap.result())


asyncio.run(main())
"""
NAPS = (
    TYPED
    + """

@flow
async def naps() -> str:
    await sleep("1s")
    return "rested"
"""
).replace("import event, flow", "import event, flow, sleep")


def test_one_process_drives_whatever_a_script_starts_and_leaves_when_all_wait(
    tmp_path: Path,
) -> None:
    root = write_project(tmp_path, app=NAPS, main=MANY)
    out = subprocess.run(
        [sys.executable, "main.py"],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (out.returncode, out.stdout) == (0, "rested\n"), out.stderr
    path = root / ".perdure" / "runs.db"
    assert len(driver_pids(path, "~worker/%")) == 1
    assert len(driver_pids(path, "w%")) == 1, "one process drives them all"
    deadline = time.monotonic() + 60
    while driver_pids(path, "~worker/%"):
        assert time.monotonic() < deadline, "the worker in the background did not leave"
        time.sleep(0.05)
    assert driver_pids(path, "%") == []
    assert json.loads(command(root, "send", "w7", "go", "--payload", '{"a": 7}')) == 7


def driver_pids(path: Path, pattern: str) -> list[int]:
    with closing(sqlite3.connect(path)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'leases'").fetchone():
            return []
        rows = connection.execute("SELECT DISTINCT pid FROM leases WHERE run LIKE ?", (pattern,))
        return [int(pid) for (pid,) in rows]


LONG = """
import asyncio
from perdure import flow, step


@step
async def work(n: int) -> int:
    await asyncio.sleep(0.3)
    return n


@flow
async def long(n: int) -> int:
    return sum([await work(part) for part in range(n)])
"""
WAITS = """
import asyncio
from app import long


async def main() -> None:
    print(await (await long.start(12, id="l")).result())


asyncio.run(main())
"""


def test_whoever_waits_for_a_run_sees_that_its_driver_died(tmp_path: Path) -> None:
    root = write_project(tmp_path, app=LONG, main=WAITS)
    waits = subprocess.Popen(
        [sys.executable, "main.py"], cwd=root, stdout=subprocess.PIPE, text=True
    )
    try:
        deadline = time.monotonic() + 60
        path = root / ".perdure" / "runs.db"
        while not path.exists() or not driver_pids(path, "l"):
            assert time.monotonic() < deadline, "nobody drives the run"
            time.sleep(0.05)
        for pid in driver_pids(path, "%"):
            os.kill(pid, signal.SIGKILL)
        out, _ = waits.communicate(timeout=60)
    finally:
        waits.kill()
    assert (waits.returncode, out) == (0, "66\n")
