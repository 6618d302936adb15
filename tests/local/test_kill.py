"""Kill -9 at random moments (contract C3): what was recorded never runs again, nothing is lost."""

import json
import random
import sqlite3
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.local.project import command, popen, write_project

FLOW = """
import os
import time
from perdure import flow, gather, sleep, step, Retry


def note(key: str) -> None:
    with open("effects.txt", "a") as file:
        file.write(key + "\\n")
        file.flush()
        os.fsync(file.fileno())


@step(retry=Retry(attempts=2, delay=0, jitter=False))
def look_up(question: str) -> str:
    time.sleep(0.02)
    note("look_up " + question)
    return question.upper()


@step
async def judge(text: str, round: int) -> bool:
    note(f"judge {round}")
    return round >= 4


@flow
async def deeper(topic: str) -> str:
    return await look_up(topic + "!") + await look_up(topic + "?")


@flow
async def research(topics: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    round = 0
    while True:
        round += 1
        answers = await gather(*[look_up(f"{t} {round}") for t in topics], limit=3)
        found |= dict(zip(topics, answers))
        found["deeper"] = await deeper(f"{round}")
        if await judge(str(found), round):
            return found
        await sleep(0.01)
"""
INPUT = json.dumps({"topics": ["a", "b", "c", "d", "e"]})
RESULT = {"a": "A 4", "b": "B 4", "c": "C 4", "d": "D 4", "e": "E 4", "deeper": "4!4?"}
STEPS = 4 * (5 + 2 + 1)


def recorded(root: Path) -> set[str]:
    """What the effects of recorded steps look like."""
    store = root / ".perdure" / "runs.db"
    if not store.exists():
        return set()
    with sqlite3.connect(store) as connection:
        try:
            rows = connection.execute(
                "SELECT run, entry FROM log ORDER BY run, sequence"
            ).fetchall()
        except sqlite3.OperationalError:
            return set()
    begun: dict[tuple[str, str], str] = {}
    done: set[str] = set()
    for run, text in rows:
        entry = json.loads(text)
        place = (run, entry.get("path", ""))
        if entry["kind"] == "begin" and entry["operation"] == "step":
            arguments = entry["arguments"]
            value = arguments.get("question", arguments.get("round"))
            begun[place] = f"{entry['name']} {value}"
        elif entry["kind"] == "end" and place in begun:
            done.add(begun[place])
    return done


def effects(root: Path) -> Counter[str]:
    path = root / "effects.txt"
    return Counter(path.read_text().splitlines() if path.exists() else [])


def live_and_die(root: Path, chance: random.Random, *arguments: str) -> bool:
    """Drive the run until a few more steps have run, then kill -9; whether it still lived."""
    process = popen(root, *arguments)
    wanted = effects(root).total() + chance.randint(1, 5)
    while process.poll() is None and effects(root).total() < wanted:
        time.sleep(0.002)
    time.sleep(chance.uniform(0, 0.02))
    lived = process.poll() is None
    process.kill()
    process.communicate()
    return lived


@pytest.mark.parametrize("seed", range(2))
def test_a_recorded_step_never_runs_again_and_any_other_at_most_once_more_per_kill(
    tmp_path: Path, seed: int
) -> None:
    root = write_project(tmp_path, app=FLOW)
    chance = random.Random(seed)
    arguments = ("run", "app.py:research", "--id", "r", "--input", INPUT)
    kills, lived = 0, True
    while lived and kills < 10:
        kept, before = recorded(root), effects(root)
        lived = live_and_die(root, chance, *arguments)
        kills += lived
        added = effects(root) - before
        assert not set(added) & kept
        assert all(count == 1 for count in added.values())
    assert kills >= 4
    out = command(root, *arguments)
    assert json.loads(out[out.index("{") : out.rindex("}") + 1]) == RESULT
    total = effects(root)
    assert len(total) == STEPS
    assert max(total.values()) <= kills + 1
    assert command(root, "runs").startswith("r  completed")
    again = effects(root)
    command(root, *arguments)
    assert effects(root) == again


def test_two_drivers_cannot_have_one_run(tmp_path: Path) -> None:
    root = write_project(tmp_path, app=FLOW)
    arguments = ("run", "app.py:research", "--id", "r", "--input", INPUT)
    drivers = [popen(root, *arguments) for _ in range(3)]
    ends = [(driver.communicate(timeout=60), driver.returncode) for driver in drivers]
    assert sorted(code for _, code in ends)[0] == 0, ends
    for (_, err), code in ends:
        assert code in (0, 2), err
        assert code == 0 or "is driven by process" in err
    total = effects(root)
    assert len(total) == STEPS
    assert set(total.values()) == {1}


def test_a_dead_driver_is_taken_over_at_once(tmp_path: Path) -> None:
    root = write_project(tmp_path, app=FLOW)
    arguments = ("run", "app.py:research", "--id", "r", "--input", INPUT)
    assert live_and_die(root, random.Random(0), *arguments)
    began = time.monotonic()
    command(root, "resume", "r")
    assert time.monotonic() - began < 15


def test_a_step_whose_attempts_vanish_five_times_in_a_row_is_lost(tmp_path: Path) -> None:
    text = """
import os, signal
from perdure import flow, step

@step
def suicide() -> int:
    with open("lives.txt", "a") as file:
        file.write("x")
    os.kill(os.getpid(), signal.SIGKILL)
    return 1

@flow
async def doomed() -> int:
    return await suicide()
"""
    root = write_project(tmp_path, app=text)
    command(root, "run", "app.py", "--id", "r", code=-9)
    for _ in range(4):
        command(root, "resume", "r", code=-9)
    out = command(root, "resume", "r", code=1)
    assert "StepLost" in out
    assert (root / "lives.txt").read_text() == "xxxxx"
