"""A run whose branches are executions of their own is shown, stopped and ended as one run."""

import time
from pathlib import Path

import click
import pytest

from perdure.cli.histories import DeployedHistory
from perdure.cli.tree import draw
from perdure.deployment import Runs
from perdure.runtime.engine import Completed
from perdure.store.runs import find_run
from perdure_aws.deploy.verbs import AwsDeployer
from tests.aws_deploy.cloud import Cloud
from tests.aws_deploy.projects import small

TREE = """
import asyncio
from typing import Any

from perdure import event, flow, gather, step

@step
async def note(path: str) -> str:
    return path

async def walk(path: str, n: int) -> list[Any]:
    return [await note(path), *await gather(*(walk(f"{path}.{c}", c) for c in range(n)))]

@flow
async def tree(n: int) -> list[Any]:
    async with asyncio.TaskGroup() as group:
        walked = group.create_task(walk("r", n))
        await event("go")
    return walked.result()
"""


@pytest.fixture
def runs(there: Cloud, folder: Path) -> Runs:
    AwsDeployer().deploy(place := small(folder, TREE), lambda line: None)
    return AwsDeployer().connect(place)


def test_the_tree_of_a_run_has_the_executions_of_its_branches(there: Cloud, runs: Runs) -> None:
    runs.start("app:tree", {"n": 2}, "r")
    there.advance(60)
    runs.send("r", "go", None, id="e")
    there.advance(60)
    assert runs.outcome("r") == Completed(["r", ["r.0"], ["r.1", ["r.1.0"]]])
    assert len(there.states.executions) == 1 + 1 + 3, "a task, and three branches below it"
    record = find_run(runs.store, "r")
    operations = runs.happened(record).operations
    noted = sorted(str(one["outcome"]) for one in operations if one["kind"] == "step")
    assert noted == [str({"value": path}) for path in ("r", "r.0", "r.1", "r.1.0")]
    tree = click.unstyle("\n".join(draw(DeployedHistory(runs), record, time.time())))
    assert tree.count("note(path=") == 4


def test_a_cancel_ends_the_body_and_its_tasks(there: Cloud, runs: Runs) -> None:
    runs.start("app:tree", {"n": 1}, "r")
    there.advance(60)
    runs.cancel("r", at_once=False)
    there.advance(60)
    assert find_run(runs.store, "r").status == "cancelled"
