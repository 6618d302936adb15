"""Runs from ordinary code: start, result, send, ask and cancel on handles of the local store."""

import subprocess
import sys
from pathlib import Path

from tests.local.project import write_project

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
