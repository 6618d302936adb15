# pyright: reportUnknownMemberType=false
# (the stubs know `client` by the names of all services, also of those that are not installed)
"""Verbs that are killed at any request, before it took effect or after: repeating them converges,
giving up leaves nothing behind, and what is there meanwhile is reported.

The default run kills at some requests; `-m slow` at every one, of all four examples.
"""

from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest

from perdure.deployment import DeployError, Place
from perdure.runtime.engine import Completed
from perdure_aws.deploy.verbs import AwsDeployer
from tests.aws_deploy.cloud import Call, Cloud
from tests.aws_deploy.cuts import Cuts, cut_at_requests
from tests.aws_deploy.projects import EXAMPLES, compile_project, examples, small

SOME = (17, 39)
"""States in which the default run kills, of those that a verb goes through."""
TRIAGE = "examples.triage:triage"
ISSUE: Any = {"issue": {"number": 1, "title": "it crashes"}}
APPROVED: Any = {"approved": True}
ALL_NEW = 100
type Ways = dict[str, Callable[[], None]]
OLD, NEW = "https://issues.example/1#reply", "https://issues.example/1#newer"


def ignored(line: str) -> None:
    """What is being done, said to nobody."""


def deploy(place: Place, weight: int = ALL_NEW) -> None:
    AwsDeployer().deploy(place, ignored, weight=weight)


def destroy(place: Place) -> None:
    AwsDeployer().destroy(place, ignored, flow=None, with_runs=True, with_data=True)


def rollback(place: Place) -> None:
    AwsDeployer().rollback(place, ignored, flow=None, to=None)


def newer(folder: Path) -> Place:
    """The same flows, each with something else in it."""
    for name in EXAMPLES:
        file = folder / "examples" / f"{name}.py"
        text = file.read_text().replace("#reply", "#newer")
        file.write_text(text + "\n\nNEWER = True\n")
    return compile_project(folder)


def live(place: Place) -> dict[str, list[tuple[int, int]]]:
    """(version, weight) of those that new runs of each flow start on."""
    rows: Any = AwsDeployer().status(place, ignored).data["flows"]
    return {row["flow"]: [(one["version"], one["weight"]) for one in row["live"]] for row in rows}


def gives_up(there: Cloud, place: Place) -> None:
    """Whoever cut it off wants nothing of it any more."""
    found = boto3.client("cloudformation").describe_stacks()["Stacks"]
    known = [one for one in found if one["StackStatus"] != "DELETE_IN_PROGRESS"]
    answer = AwsDeployer().destroy(place, ignored, flow=None, with_runs=True, with_data=True)
    stacks: Any = answer.data["stacks"]
    assert not known or stacks, "what is there is named"
    assert there.left() == []


def first_deploy(there: Cloud, folder: Path, only: Collection[int] | None) -> Cuts:
    place = examples(folder)
    AwsDeployer().package(place, ignored)
    ways = {
        "again": partial(repeats_deploy, there, place, 1),
        "never": partial(gives_up, there, place),
    }
    return cut_at_requests(there, partial(deploy, place), ways, only)


def repeats_deploy(there: Cloud, place: Place, version: int) -> None:
    """The same deploy again; once more it changes nothing; nothing was published twice."""
    deploy(place)
    there.calls.clear()
    answer = AwsDeployer().deploy(place, ignored)
    rows: Any = answer.data["deployed"]
    assert not [row for row in rows if row["changed"]]
    assert live(place) == {name: [(version, 100)] for name in EXAMPLES}
    assert {max(one.versions) for one in there.states.machines.values()} == {version}
    gives_up(there, place)


def second_deploy(there: Cloud, folder: Path, only: Collection[int] | None) -> Cuts:
    place = examples(folder)
    deploy(place)
    place = newer(folder)
    AwsDeployer().package(place, ignored)

    def again() -> None:
        both_versions_work(there, place)
        repeats_deploy(there, place, 2)

    def back() -> None:
        rollback(place)
        assert runs_to(place, "r") == OLD
        gives_up(there, place)

    ways = {"again": again, "back": back}
    return cut_at_requests(there, partial(deploy, place), ways, only)


def both_versions_work(there: Cloud, place: Place) -> None:
    """What a run under way goes on with is there, beside what new ones start on."""
    deploy(place)
    assert runs_to(place, "after") == NEW
    for name in EXAMPLES:
        rollback_to(place, name, 1)
    assert runs_to(place, "before") == OLD


def rollback_to(place: Place, flow: str, version: int) -> None:
    AwsDeployer().rollback(place, ignored, flow=flow, to=version)


def runs_to(place: Place, run: str) -> object:
    """What a run of triage that is started now ends with."""
    runs = AwsDeployer().connect(place)
    runs.start(TRIAGE, ISSUE, run)
    runs.send(run, "approval", APPROVED, id=run)
    outcome = runs.outcome(run)
    assert isinstance(outcome, Completed), outcome
    return outcome.value


def canary(there: Cloud, folder: Path, only: Collection[int] | None) -> Cuts:
    """A share of new runs, changed."""
    deploy(examples(folder))
    place = newer(folder)
    deploy(place, 10)
    shares = {name: [(1, 60), (2, 40)] for name in EXAMPLES}

    def again() -> None:
        deploy(place, 40)
        assert live(place) == shares

    return cut_at_requests(there, partial(deploy, place, 40), {"again": again}, only)


def rolled_back(there: Cloud, folder: Path, only: Collection[int] | None) -> Cuts:
    deploy(examples(folder))
    place = newer(folder)
    deploy(place)

    def again() -> None:
        rollback(place)
        assert live(place) == {name: [(1, 100)] for name in EXAMPLES}

    def forward() -> None:
        deploy(place)
        assert live(place) == {name: [(2, 100)] for name in EXAMPLES}

    ways = {"again": again, "forward": forward}
    return cut_at_requests(there, partial(rollback, place), ways, only)


def planned(there: Cloud, folder: Path, only: Collection[int] | None) -> Cuts:
    deploy(examples(folder))
    place = newer(folder)

    def again() -> None:
        rows: Any = AwsDeployer().plan(place, ignored).data["plan"]
        assert [row["name"] for row in rows] == ["store", *sorted(EXAMPLES)]

    ways: Ways = {"again": again, "deploy": partial(repeats_deploy, there, place, 2)}
    verb = partial(AwsDeployer().plan, place, ignored)
    return cut_at_requests(there, verb, ways, only)


def destroyed(there: Cloud, folder: Path, only: Collection[int] | None) -> Cuts:
    place = examples(folder)
    deploy(place)

    def anew() -> None:
        try:
            deploy(place)
        except DeployError as error:
            if "was half destroyed" not in str(error):
                raise
            destroy(place)
            deploy(place)
        assert live(place).keys() == {*EXAMPLES}
        gives_up(there, place)

    ways: Ways = {"again": partial(gives_up, there, place), "deploy": anew}
    return cut_at_requests(there, partial(destroy, place), ways, only)


VERBS = [first_deploy, second_deploy, canary, rolled_back, planned, destroyed]


@pytest.mark.parametrize("sweep", VERBS)
def test_some_request_is_the_last_one(there: Cloud, folder: Path, sweep: Any) -> None:
    there.under_way.looks = 2
    found: Cuts = sweep(there, folder, SOME)
    assert found.copies >= 1
    assert not found.wrong, found.wrong[0]


@pytest.mark.slow
@pytest.mark.parametrize("sweep", VERBS)
def test_every_request_may_be_the_last_one(
    there: Cloud, folder: Path, sweep: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    there.under_way.looks = 2
    found: Cuts = sweep(there, folder, None)
    with capsys.disabled():
        print(f"{sweep.__name__}: {found.requests} requests, {found.states} states")
    assert found.states >= 5
    assert not found.wrong, "\n".join(found.wrong)


def test_what_aws_refuses_is_said_and_how_to_go_on(there: Cloud, folder: Path) -> None:
    place = small(folder)

    def denied(call: Call) -> None:
        if call.operation == "CreateStack":
            raise there.refused("AccessDenied", "not authorized to create stacks", call)

    there.fault = denied
    with pytest.raises(DeployError, match=r"goes on from here.*not authorized"):
        deploy(place)
