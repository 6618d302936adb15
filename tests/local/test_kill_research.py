"""Kill -9 at twenty random moments of the research example (contract C3).

The example is taken as it is; only the model it asks is one that writes a line to a file outside
the store, and fsyncs it, each time it is asked.
"""

import json
import random
import shutil
import sqlite3
import time
from collections import Counter
from itertools import count
from pathlib import Path

import pytest

from tests.local.project import command, popen, write_project

EXAMPLE = Path(__file__).parents[2] / "examples" / "research.py"
MODEL = '''
import asyncio
import os

from perdure import this_step

QUESTIONS = [f"question {number}" for number in range(12)]


def note() -> None:
    with open("effects.txt", "a") as file:
        file.write(this_step().key + "\\n")
        file.flush()
        os.fsync(file.fileno())


async def ask(instructions: str, text: str) -> str:
    """Half of its time it takes before the line is written, half of it after."""
    await asyncio.sleep(0.01)
    note()
    await asyncio.sleep(0.01)
    if instructions.startswith("Plan"):
        return "\\n".join(QUESTIONS)
    if instructions.startswith("Judge"):
        return "good" if text.count("again") == 7 else "again " * (text.count("again") + 1)
    if instructions.startswith("Search"):
        return text.upper()
    return instructions.removeprefix("Write the report. ") + "|" + text
'''
REPORT: dict[str, object] = {
    "text": "again " * 7 + "|tea" + "".join(f"\n[{n + 1}] QUESTION {n}" for n in range(12)),
    "drafts": 8,
    "missing": [],
}
STEPS = 1 + 12 + 8 * 2
KILLS = 20


def recorded(root: Path) -> set[str]:
    """The keys of the steps whose end is in the store."""
    store = root / ".perdure" / "runs.db"
    if not store.exists():
        return set()
    with sqlite3.connect(store) as connection:
        try:
            rows = connection.execute("SELECT run, entry FROM log").fetchall()
        except sqlite3.OperationalError:
            return set()  # killed before there were tables
    entries = [(run, json.loads(text)) for run, text in rows]
    return {f"{run}/{entry['path']}" for run, entry in entries if entry["kind"] == "end"}


def effects(root: Path) -> Counter[str]:
    path = root / "effects.txt"
    return Counter(path.read_text().splitlines() if path.exists() else [])


def live_and_die(root: Path, name: str, life: int, chance: random.Random) -> bool:
    """Drive the run, and kill it while it starts or some lines later; whether it still lived.

    Every fourth life is long enough for the steps under way to end: one that is lost five times
    in a row raises StepLost, and another result would be right.
    """
    wanted = effects(root).total() + (5 if life % 4 == 3 else chance.randint(0, 2))
    process = popen(root, *run_once(root, name))
    if life % 7 == 6:
        time.sleep(chance.uniform(0, 0.3))
    else:
        while process.poll() is None and effects(root).total() < wanted:
            time.sleep(0.002)
        time.sleep(0.05 if life % 4 == 3 else chance.uniform(0, 0.03))
    lived = process.poll() is None
    process.kill()
    process.communicate()
    return lived


def run_once(root: Path, name: str) -> tuple[str, ...]:
    return ("run", "examples/research.py", "--id", name, "topic=tea", "max_drafts=10")


def check_the_end(root: Path, name: str, kills: int) -> None:
    """Let the run come to its end: the same result, and no step that nothing accounts for."""
    out = command(root, *run_once(root, name))
    assert json.loads(out[out.index("{") : out.rindex("}") + 1]) == REPORT
    mine = {key: lines for key, lines in effects(root).items() if key.startswith(f"{name}/")}
    assert len(mine) == STEPS
    assert max(mine.values()) <= kills + 1


@pytest.mark.parametrize("seed", [2])
def test_the_research_example_survives_twenty_kills(tmp_path: Path, seed: int) -> None:
    (tmp_path / "examples").mkdir()
    root = write_project(tmp_path)
    shutil.copy(EXAMPLE, root / "examples")
    (root / "examples" / "model.py").write_text(MODEL)
    chance = random.Random(seed)
    kills: Counter[str] = Counter()
    name = "r0"
    for life in count():
        kept, before = recorded(root), effects(root)
        lived = live_and_die(root, name, life, chance)
        kills[name] += lived
        added = effects(root) - before
        assert not set(added) & kept, "a recorded step ran again"
        assert all(lines == 1 for lines in added.values()), "a step ran twice in one life"
        if kills.total() == KILLS:
            break
        if not lived:
            # It came to its end before its moment: the other kills are for another run.
            check_the_end(root, name, kills[name])
            name = f"r{len(kills)}"
    check_the_end(root, name, kills[name])
    print(f"kills by run: {dict(kills)}")
    assert max(kills.values()) >= 5, "hardly a run was killed more than once"
