"""The door belongs to a release: what comes in meets the code that new runs are on."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from perdure.deployment import Place, Runs
from perdure.runtime.engine import Completed
from perdure.store.runs import list_runs
from perdure_aws.deploy import retiring
from perdure_aws.deploy.verbs import AwsDeployer
from tests.aws_deploy.cloud import Cloud, Response
from tests.aws_deploy.hooks import deliver, deploy_hooks
from tests.aws_deploy.projects import change, small

DAY = 86_400
OLD = """
from perdure import Bearer, Cron, Webhook, flow, secret, step

KEY = secret("BEARER_SECRET")

@step
async def version() -> str:
    return "old step"

@flow(
    on=[
        Webhook("/hook", verify=Bearer(KEY), start=lambda one: {"told": "old door"}),
        Webhook("/old", verify=Bearer(KEY), start=lambda one: {"told": "old path"}),
        Cron("0 9 * * *", input={"told": "old schedule"}),
        Cron("0 3 * * *", input={"told": "by night"}),
    ]
)
async def main(told: str) -> list[str]:
    return [told, await version()]
"""
NEW = (
    OLD.replace("old door", "new door")
    .replace("old step", "new step")
    .replace("old schedule", "new schedule")
    .replace("told", "said")
    .replace('"/old"', '"/new"')
    .replace("0 3 * * *", "0 4 * * *")
    .replace('Cron("0 9', 'Cron("0 7 1 1 *", input={"said": "yearly"}),\n        Cron("0 9')
)
"""Another parameter: no run fits that is started on the other release."""


def released(folder: Path, source: str, weight: int = 100) -> Runs:
    (folder / "app.py").write_text(source)
    place = small(folder, source)
    AwsDeployer().deploy(place, lambda line: None, weight=weight)
    return AwsDeployer().connect(place)


def knock(there: Cloud, id: str, path: str = "/hook") -> Response:
    return deliver(there, "bearer", b"{}", id, path=path, more={"idempotency-key": id})


def result(there: Cloud, runs: Runs, id: str, path: str = "/hook") -> object:
    answer = knock(there, id, path)
    assert answer.status == 202, answer
    return ended(runs, json.loads(answer.body)["run"])


def ended(runs: Runs, run: str) -> object:
    outcome = runs.outcome(run)
    assert isinstance(outcome, Completed), outcome
    return outcome.value


def of_schedules(runs: Runs) -> list[object]:
    """How the runs ended that schedules began, in the order of their moments, with the hour."""
    found = sorted(one.run for one in list_runs(runs.store) if one.run.startswith("main-2"))
    return [(run[14:16], ended(runs, run)) for run in found]


def rolled_back(place: Place, to: int | None = None) -> Mapping[str, object]:
    said = AwsDeployer().rollback(place, lambda line: None, flow=None, to=to)
    return {**said.data, "lines": said.lines}


def test_what_comes_in_follows_a_deploy_a_rollback_and_the_way_back(
    there: Cloud, folder: Path
) -> None:
    place = deploy_hooks(folder, OLD)
    runs = AwsDeployer().connect(place)
    assert result(there, runs, "1") == ["old door", "old step"]
    there.advance((there.now.replace(hour=12, minute=0) - there.now).seconds)
    there.advance(DAY)
    before, schedules = len(of_schedules(runs)), set(there.front.schedules)
    runs = released(folder, NEW)
    assert schedules < set(there.front.schedules), "what was there stays as it is"
    assert result(there, runs, "2") == ["new door", "new step"]
    assert result(there, runs, "3", "/new") == ["old path", "new step"]
    assert knock(there, "4", "/old").status == 404
    there.advance(DAY)
    assert "lines" in rolled_back(place)
    assert result(there, runs, "5") == ["old door", "old step"]
    assert result(there, runs, "6", "/old") == ["old path", "old step"], "it serves its own paths"
    assert knock(there, "7", "/new").status == 404
    there.advance(DAY)
    assert of_schedules(runs)[before - 2 :] == [
        ("03", ["by night", "old step"]),
        ("09", ["old schedule", "old step"]),
        ("04", ["by night", "new step"]),
        ("09", ["new schedule", "new step"]),
        ("03", ["by night", "old step"]),
        ("09", ["old schedule", "old step"]),
    ]
    runs = released(folder, NEW)
    assert result(there, runs, "8") == ["new door", "new step"]
    runs = released(folder, OLD)
    assert result(there, runs, "9") == ["old door", "old step"], "its content comes back"
    (machine,) = there.states.machines.values()
    assert sorted(machine.versions) == [1, 2, 3]
    AwsDeployer().destroy(place, lambda line: None, flow=None, with_runs=True, with_data=True)
    assert there.left() == []


def test_a_canary_takes_its_share_of_what_comes_in_to_its_own_code(
    there: Cloud, folder: Path
) -> None:
    place = deploy_hooks(folder, OLD)
    runs = released(folder, NEW, 30)
    found = [result(there, runs, f"c-{number}") for number in range(20)]
    new, old = ["new door", "new step"], ["old door", "old step"]
    assert [one for one in found if one not in (new, old)] == []
    assert 1 <= found.count(new) <= 13
    (shares,) = there.front.aliases.values()
    assert sorted(shares.values()) == pytest.approx([0.3, 0.7])
    rolled_back(place)
    assert result(there, runs, "back") == old
    released(folder, NEW, 60)
    (shares,) = there.front.aliases.values()
    assert sorted(shares.values()) == pytest.approx([0.4, 0.6])
    rolled_back(place, 2)
    assert result(there, runs, "on") == new


def test_a_version_without_a_door_leaves_it_where_it_is_and_says_so(
    there: Cloud, folder: Path
) -> None:
    bare = OLD[: OLD.index("@flow(")] + "@flow\n" + OLD[OLD.index("async def main") :]
    deploy_hooks(folder, bare)
    runs = released(folder, NEW, 50)
    assert result(there, runs, "1") == ["new door", "new step"]
    place = small(folder, NEW)
    said = rolled_back(place)
    assert "those of version 2 stay" in str(said["lines"])
    assert result(there, runs, "2") == ["new door", "new step"]


def test_doors_retire_with_their_releases(
    there: Cloud, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retiring, "KEPT", 2)
    place = deploy_hooks(folder, OLD)
    text = '"old step"'
    for number in range(2):
        place = change(folder, text, text := f'"step {number}"')
        AwsDeployer().deploy(place, lambda line: None)
    gone = sorted(n for name, n in there.gone_versions if name.endswith("-door"))
    assert gone == ["1"]
    rolled_back(place)
    runs = AwsDeployer().connect(place)
    assert result(there, runs, "1") == ["old door", "step 0"]
