"""What is under way is counted as runs, and every run that a destroy stops has its end."""

from pathlib import Path
from typing import Any

import pytest

from perdure.deploying.counted import are, counted
from perdure.deployment import Place
from perdure.sites.executions import execution_name, generation_name, is_part
from perdure.store.protocol import RunRecord, Status, Versions
from perdure.store.runs import claim_run, find_run, get_run, list_runs
from perdure_aws.deploy.environment import Environment
from perdure_aws.deploy.runs import AwsRuns
from perdure_aws.deploy.verbs import AwsDeployer
from tests.aws_deploy.cloud import Cloud
from tests.aws_deploy.long_runs import LONG, short_histories
from tests.aws_deploy.projects import CHILDREN, change, small

WAITING = """
from perdure import event, flow

@flow
async def main(n: int) -> int:
    return n + await event("more", int)

@flow
async def other(n: int) -> int:
    return n + await event("more", int)
"""
DETACHED = CHILDREN.replace("await inner(n) * 10", "len((await inner.start(n)).id)")


def silent(line: str) -> None:
    """What is being done, said to nobody."""


def deployed(folder: Path, source: str) -> tuple[Place, AwsRuns]:
    place = small(folder, source)
    AwsDeployer().deploy(place, silent)
    return place, AwsRuns(place)


def destroy(place: Place, flow: str | None, *, with_runs: bool = True) -> tuple[str, ...]:
    return (
        AwsDeployer().destroy(place, silent, flow=flow, with_runs=with_runs, with_data=False).lines
    )


def untold(there: Cloud) -> None:
    """EventBridge tells nobody of ends any more, or comes when the function is gone."""
    there.states.rules.clear()


def test_every_run_that_is_stopped_has_its_end(there: Cloud, folder: Path) -> None:
    place, runs = deployed(folder, WAITING)
    for name in ("a", "b"):
        runs.start("app:main", {"n": 1}, name)
    runs.start("app:other", {"n": 1}, "c")
    untold(there)
    assert destroy(place, "main", with_runs=False)[0].startswith("2 runs are under way, and would")
    destroy(place, "main")
    ends = {record.run: record.status for record in list_runs(runs.store)}
    assert ends == {"a": Status.CANCELLED, "b": Status.CANCELLED, "c": Status.RUNNING}
    assert destroy(place, "other", with_runs=False)[0].startswith("1 run is under way, and would")


def test_children_that_outlive_their_run_have_their_end_too(there: Cloud, folder: Path) -> None:
    place, runs = deployed(folder, DETACHED)
    runs.start("app:outer", {"n": 4}, "r")
    there.states.settle()
    untold(there)
    destroy(place, "outer")
    assert find_run(runs.store, "r").status is Status.COMPLETED
    assert find_run(runs.store, "r/start").status is Status.CANCELLED


def test_a_destroy_that_is_interrupted_ends_them_when_it_is_repeated(
    there: Cloud, folder: Path
) -> None:
    place, runs = deployed(folder, WAITING)
    for name in ("a", "b"):
        runs.start("app:main", {"n": 1}, name)
    untold(there)

    def broken(call: object) -> None:
        if getattr(call, "operation", "") == "StopExecution":
            raise KeyboardInterrupt

    there.fault = broken
    with pytest.raises(KeyboardInterrupt):
        destroy(place, "main")
    there.fault = lambda call: None
    assert destroy(place, "main") == ("prod: destroyed",)
    assert {one.status for one in list_runs(runs.store)} == {Status.CANCELLED}


def test_a_run_that_nobody_has_claimed_yet_gets_its_record_and_its_end(
    there: Cloud, folder: Path
) -> None:
    place, runs = deployed(folder, WAITING)
    runs.start("app:main", {"n": 1}, "a")
    versions = find_run(runs.store, "a").versions
    store = Environment(place, silent)
    record = there.states.executions
    (one,) = record.values()
    # As it is before its first site: an execution, and no record.
    name = one.arn.rpartition(":")[0] + ":b"
    one.arn, one.input = name, one.input.replace('"id":"a"', '"id":"b"')
    record.clear()
    record[name] = one
    assert get_run(store.store, "b") is None
    untold(there)
    destroy(place, "main")
    ended = find_run(runs.store, "b")
    assert (ended.status, ended.input, ended.versions) == (Status.CANCELLED, {"n": 1}, versions)


def test_a_run_that_began_in_between_has_its_end_when_its_machine_is_gone(
    there: Cloud, folder: Path
) -> None:
    place, runs = deployed(folder, WAITING)
    versions = Versions("1", "3.13", 1, "")
    for name, flow in (("late", "app:main"), ("elsewhere", "app:other")):
        claim_run(runs.store, RunRecord(name, flow, "", {}, versions, "00" * 16, 1.0))
    destroy(place, "main", with_runs=False)
    assert find_run(runs.store, "late").status is Status.CANCELLED
    assert find_run(runs.store, "elsewhere").status is Status.RUNNING


def test_status_counts_the_runs_of_all_machines_on_all_versions(there: Cloud, folder: Path) -> None:
    place, runs = deployed(folder, DETACHED)
    runs.start("app:outer", {"n": 4}, "r")
    there.states.settle()
    place = change(folder, "n // 2", "n // 3")
    AwsDeployer().deploy(place, silent)
    runs.start("app:outer", {"n": 4}, "s")
    runs.start("app:inner", {"n": 4}, "t")
    there.states.settle()
    answer = AwsDeployer().status(place, silent)
    text = "\n".join(answer.lines)
    assert "under way: 1 of inner on its version 1, 1 of inner on its version 2" in text
    assert "under way: 1 on version 2" in text, "of the flow `inner` itself"
    listed: Any = answer.data["flows"]  # Any: what `--json` prints
    found = {row["flow"]: row for row in listed}
    assert found["outer"]["running"] == []
    assert [(row["flow"], row["version"], row["runs"]) for row in found["outer"]["children"]] == [
        ("app:inner", 1, 1),
        ("app:inner", 2, 1),
    ]


def test_a_run_that_was_handed_over_is_one_run(there: Cloud, folder: Path) -> None:
    place, runs = deployed(folder, LONG)
    with short_histories(60):
        runs.start("app:long", {"times": 25}, "r")
        there.advance(20 * 3600 + 1800)
        live = [one for one in there.states.executions.values() if one.now.status == "RUNNING"]
        assert len(live) == 2, "the first one waits for the other"
        assert "under way: 1 on version 1" in "\n".join(AwsDeployer().status(place, silent).lines)
        assert len(destroy(place, None, with_runs=False)) == 3, "a line for it, and one for data"
        untold(there)
        destroy(place, "long")
    assert find_run(runs.store, "r").status is Status.CANCELLED


@pytest.mark.parametrize("run", ["r", "order-17", "x" * 80, "r/inner#2", "r/a[0]/inner"])
def test_an_execution_says_whether_it_is_the_first_of_its_run(run: str) -> None:
    assert not is_part(execution_name(run))
    for name in (generation_name(run, 12), execution_name(f"{run}/gather", "chunk 3")):
        assert is_part(name)
        assert len(name) <= 80
    assert generation_name(run, 1) == execution_name(run)
    assert len({generation_name(run, number) for number in range(1, 20)}) == 19


def test_one_is_no_plural() -> None:
    said = [f"{counted(n, 'run')} {are(n)}" for n in range(3)]
    assert said == ["0 runs are", "1 run is", "2 runs are"]
