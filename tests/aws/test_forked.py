# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false
# (a script is a lambda of the arguments of its step, which no checker can know)
"""Branches that are executions of their own, on Step Functions."""

from pathlib import Path
from textwrap import dedent

import pytest

from perdure.sites import handover
from perdure.testing import ScriptedEvent, run
from perdure.testing.request import Request
from perdure.testing.runner import moment
from perdure.testing.scripts import Scripts
from tests.proof.cuts import swept

TREE = """
from perdure import flow, gather, step

@step
async def note(path: str) -> str: ...

async def walk(path: str, n: int) -> list[object]:
    return [await note(path), *await gather(*(walk(f"{path}.{c}", c) for c in range(n)))]

@flow
async def main(n: int) -> list[object]:
    return await walk("r", n)
"""

DEEP = """
from perdure import flow, gather, step

@step
async def note(n: int) -> int: ...

async def down(n: int) -> list[object]:
    return await gather(down(n - 1), note(n)) if n else await gather()

@flow
async def main(n: int) -> list[object]:
    return await down(n)
"""


def _written(folder: Path, text: str) -> Path:
    (folder / "pyproject.toml").write_text("[tool.perdure]\n", encoding="utf-8")
    file = folder / "forked.py"
    file.write_text(dedent(text), encoding="utf-8")
    return file


def test_branches_of_a_recursive_fork_cut_at_every_site_run_once(tmp_path: Path) -> None:
    file = _written(tmp_path, TREE)

    def request() -> Request:
        return Request(file, "main", {"n": 2}, Scripts({"note": lambda path: path}, "refuse"))

    found = swept(file, "main", request)
    assert not found.wrong, "\n".join(found.wrong)
    assert found.cuts > found.invocations
    assert found.repeated > 0


def test_states_of_a_recursive_branch_stand_once_and_executions_are_counted(
    tmp_path: Path,
) -> None:
    file = _written(tmp_path, TREE)
    got = run(f"{file}:main", {"n": 2}, target="aws", steps={"note": lambda path: path})
    assert got.result == ["r", ["r.0"], ["r.1", ["r.1.0"]]]
    # Three states of the flow; four for each branch, with the one its execution begins with.
    assert got.transitions == 3 + 3 * 4


def test_a_recursion_deeper_than_keys_of_the_store_ends_by_the_limits_name(
    tmp_path: Path,
) -> None:
    file = _written(tmp_path, DEEP)
    got = run(f"{file}:main", {"n": 100}, target="aws", steps={"note": lambda n: n})
    assert got.error is not None
    assert "path_bytes" in str(got.error)


OPEN = """
import asyncio

from perdure import event, flow, step

@step
async def tell(who: str) -> str: ...

@flow
async def main() -> list[str]:
    told: list[asyncio.Task[str]] = []
    async with asyncio.TaskGroup() as group:
        while (who := await event("guest", str)) != "nobody":
            told.append(group.create_task(tell(who)))
    return [task.result() for task in told]
"""


def test_tasks_of_a_body_that_goes_on_waiting_cut_at_every_site_run_once(tmp_path: Path) -> None:
    file = _written(tmp_path, OPEN)
    guests = [("1s", "ann"), ("2s", "bob"), ("9s", "nobody")]

    def request() -> Request:
        events = tuple(ScriptedEvent(moment(at), "guest", who) for at, who in guests)
        return Request(file, "main", {}, Scripts({"tell": lambda who: who}, "refuse"), events)

    found = swept(file, "main", request)
    assert not found.wrong, "\n".join(found.wrong)
    assert found.cuts > found.invocations
    assert found.repeated > 0


def test_a_task_begins_at_the_next_wait_of_its_body(tmp_path: Path) -> None:
    file = _written(tmp_path, OPEN)
    got = run(
        f"{file}:main",
        target="aws",
        steps={"tell": lambda who: who},
        events=[("1s", "guest", "ann"), ("1h", "guest", "nobody")],
    )
    assert got.result == ["ann"]
    (told,) = [entry for entry in got.trace if entry.kind == "step"]
    assert told.time < got.trace[-1].time


LOOP = """
import asyncio

from perdure import event, flow, step

@step
async def poll(n: int) -> int: ...

async def watch(turns: int) -> int:
    total = 0
    for n in range(turns):
        total += await poll(n)
    return total

@flow
async def main(turns: int) -> list[object]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(watch(turns))
        said = await event("said", str)
    return [task.result(), said]
"""


def test_a_task_that_loops_goes_on_in_another_execution(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover, "EVENTS", 100)
    got = run(
        f"{_written(tmp_path, LOOP)}:main",
        {"turns": 60},
        target="aws",
        steps={"poll": lambda n: n},
        events=[("1h", "said", "hello")],
    )
    assert got.result == [sum(range(60)), "hello"]
    begun = [event for event in got.history if "ExecutionStarted" in str(event)]
    assert len(begun) > 4
