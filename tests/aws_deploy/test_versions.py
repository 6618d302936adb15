"""Two versions at once: a run that waits through a deploy ends on the code it began with."""

from pathlib import Path

import pytest

from perdure.deployment import DeployError, Place, Runs
from perdure.errors import RunConflict
from perdure.runtime.engine import Completed, Failed
from perdure.store.runs import list_runs
from perdure_aws.deploy import retiring
from perdure_aws.deploy.verbs import AwsDeployer
from tests.aws_deploy.cloud import Cloud
from tests.aws_deploy.projects import CHILDREN, GROUPS, change, compile_project, small

FLOW = """
from perdure import event, flow, step

@step
async def version() -> str:
    return "old"

@flow
async def main() -> list[str]:
    before = await version()
    word = await event("go", str)
    return [before, word, await version(), "old flow"]
"""


def deployed(place: Place, weight: int = 100) -> Runs:
    AwsDeployer().deploy(place, lambda line: None, weight=weight)
    return AwsDeployer().connect(place)


def ended(runs: Runs, run: str) -> object:
    outcome = runs.outcome(run)
    assert isinstance(outcome, Completed), outcome
    return outcome.value


def newer(folder: Path) -> Place:
    change(folder, 'return "old"', 'return "new"')
    return change(folder, '"old flow"', '"new flow"')


def test_a_run_that_waits_through_a_deploy_ends_on_its_old_code(there: Cloud, folder: Path) -> None:
    runs = deployed(small(folder, FLOW))
    runs.start("app:main", {}, "before")
    runs = deployed(newer(folder))
    runs.start("app:main", {}, "after")
    for run in ("after", "before"):
        runs.send(run, "go", "go", id=run)
    assert ended(runs, "before") == ["old", "go", "old", "old flow"]
    assert ended(runs, "after") == ["new", "go", "new", "new flow"]


def test_after_a_rollback_new_runs_are_old_ones_and_those_under_way_stay(
    there: Cloud, folder: Path
) -> None:
    place = small(folder, FLOW)
    deployed(place)
    runs = deployed(newer(folder))
    runs.start("app:main", {}, "new")
    AwsDeployer().rollback(place, lambda line: None, flow=None, to=None)
    runs.start("app:main", {}, "old")
    for run in ("new", "old"):
        runs.send(run, "go", "go", id=run)
    assert ended(runs, "new") == ["new", "go", "new", "new flow"]
    assert ended(runs, "old") == ["old", "go", "old", "old flow"]


def test_children_stay_on_the_release_of_their_parent(there: Cloud, folder: Path) -> None:
    source = CHILDREN.replace(
        "    return await inner(n) * 10",
        '    await event("go", int)\n    return await inner(n) * 10',
    )
    runs = deployed(small(folder, source))
    runs.start("app:outer", {"n": 4}, "before")
    runs = deployed(change(folder, "return n // 2", "return 1000"))
    runs.start("app:outer", {"n": 4}, "after")
    for run in ("before", "after"):
        runs.send(run, "go", 0, id="go")
        runs.send(f"{run}/inner", "more", 1, id="more")
    assert ended(runs, "before") == 30
    assert ended(runs, "after") == 10010


def test_a_start_repeated_after_a_deploy_is_the_first_run(there: Cloud, folder: Path) -> None:
    runs = deployed(small(folder, FLOW))
    runs.start("app:main", {}, "order-17")
    runs = deployed(newer(folder))
    runs.start("app:main", {}, "order-17")
    runs.send("order-17", "go", "go", id="go")
    assert ended(runs, "order-17") == ["old", "go", "old", "old flow"]


def test_a_canary_gets_about_its_share_of_new_runs(there: Cloud, folder: Path) -> None:
    source = FLOW.replace('    word = await event("go", str)\n', '    word = ""\n')
    deployed(small(folder, source))
    runs = deployed(newer(folder), 20)
    for number in range(40):
        runs.start("app:main", {}, f"run-{number}")
    new = sum(ended(runs, f"run-{n}") == ["new", "", "new", "new flow"] for n in range(40))
    assert 2 <= new <= 16


def test_a_group_that_runs_under_way_still_call_stays(there: Cloud, folder: Path) -> None:
    runs = deployed(small(folder, GROUPS))
    runs.start("app:main", {"n": 1}, "waits")
    place = change(folder, 'group="heavy-lifting", ', "")
    with pytest.raises(DeployError, match="SitesHeavyLifting any more, and 1 runs"):
        deployed(place)
    runs.send("waits", "more", 1, id="more")
    assert ended(runs, "waits") == 5
    deployed(place)


def test_what_is_only_set_otherwise_is_a_release_of_all_functions_too(
    there: Cloud, folder: Path
) -> None:
    deployed(small(folder, GROUPS))
    settings = folder / "pyproject.toml"
    settings.write_text(settings.read_text() + "log_days = 7\n")
    runs = deployed(compile_project(folder))
    (machine,) = there.states.machines.values()
    assert sorted(machine.versions) == [1, 2]
    runs.start("app:main", {"n": 1}, "after")
    runs.send("after", "more", 1, id="more")
    assert ended(runs, "after") == 5


def test_old_releases_retire_but_those_that_runs_are_on(
    there: Cloud, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retiring, "KEPT", 2)
    runs = deployed(small(folder, FLOW))
    runs.start("app:main", {}, "waits")
    text = 'return "old"'
    for number in range(4):
        runs = deployed(change(folder, text, text := f'return "{number}"'))
    (machine,) = there.states.machines.values()
    assert sorted(machine.versions) == [1, 4, 5], "the newest two, and that of the run"
    assert gone_numbers(there) == ["2", "3"], "the others called these"
    assert len(machine.aliases) == 4, "theirs, and `live`"
    runs.send("waits", "go", "go", id="go")
    assert ended(runs, "waits") == ["old", "go", "old", "old flow"]
    deployed(change(folder, text, 'return "5"'))
    assert sorted(machine.versions) == [5, 6]
    assert gone_numbers(there) == ["1", "2", "3", "4"]


def gone_numbers(there: Cloud) -> list[str]:
    return sorted(number for _, number in there.gone_versions)


def test_a_start_that_the_version_of_today_refuses_is_a_run_that_failed(
    there: Cloud, folder: Path
) -> None:
    place = small(folder, FLOW)
    runs = deployed(place)
    # As the door starts it after a rollback: it is of the newest deploy, the version is not.
    runs.start("app:main", {"gone": 1}, "unfit")
    there.states.settle()
    (record,) = list_runs(runs.store)
    assert (record.run, record.flow, record.input) == ("unfit", "app:main", {"gone": 1})
    outcome = runs.outcome("unfit")
    assert isinstance(outcome, Failed)
    assert "main has no parameter of this name" in str(outcome.error)
    runs.start("app:main", {"gone": 1}, "unfit")
    with pytest.raises(RunConflict):
        runs.start("app:main", {"gone": 2}, "unfit")
