"""A run that goes on in other executions is shown, stopped and ended as the one run it is."""

import re
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
from tests.aws_deploy.long_runs import LONG, short_histories
from tests.aws_deploy.projects import small

TURNS = 25


@pytest.fixture
def runs(there: Cloud, folder: Path) -> Runs:
    place = small(folder, LONG)
    AwsDeployer().deploy(place, lambda line: None)
    return AwsDeployer().connect(place)


def executions(there: Cloud) -> int:
    return len(there.states.executions)


def test_the_tree_of_a_run_goes_through_all_its_executions(there: Cloud, runs: Runs) -> None:
    with short_histories(60):
        runs.start("app:long", {"times": TURNS}, "r")
        there.advance((TURNS + 1) * 3600)
    assert runs.outcome("r") == Completed(sum(range(TURNS)))
    assert executions(there) >= 3, "it was handed over"
    record = find_run(runs.store, "r")
    operations = runs.happened(record).operations
    turns = [one for one in operations if one["kind"] == "step"]
    assert [one["outcome"] for one in turns] == [{"value": n} for n in range(TURNS)]
    tree = click.unstyle("\n".join(draw(DeployedHistory(runs), record, time.time())))
    assert len(re.findall(r"✓ turn(#\d+)?\(", tree)) == TURNS
    assert "hand over" not in tree


def test_what_is_under_way_is_shown_of_the_last_one_alone(there: Cloud, runs: Runs) -> None:
    with short_histories(60):
        runs.start("app:long", {"times": TURNS}, "r")
        there.advance(20 * 3600 + 1800)
    assert runs.outcome("r") is None
    record = find_run(runs.store, "r")
    operations = runs.happened(record).operations
    assert [one["name"] for one in operations if one["time"] is None] in ([], ["sleep"])
    assert len([one for one in operations if one["kind"] == "step"]) == 21


def test_a_cancel_reaches_the_execution_that_rests(there: Cloud, runs: Runs) -> None:
    with short_histories(60):
        runs.start("app:long", {"times": TURNS}, "r")
        there.advance(20 * 3600 + 1800)
        runs.cancel("r", at_once=False)
        there.advance(7200)
    assert find_run(runs.store, "r").status == "cancelled"
    assert all(one.now.status != "RUNNING" for one in there.states.executions.values())


def test_a_run_is_stopped_at_once_wherever_it_is(there: Cloud, runs: Runs) -> None:
    with short_histories(60):
        runs.start("app:long", {"times": TURNS}, "r")
        there.advance(20 * 3600 + 1800)
        runs.cancel("r", at_once=True)
        there.advance(7200)
    assert find_run(runs.store, "r").status == "cancelled"
    assert all(one.now.status != "RUNNING" for one in there.states.executions.values())
