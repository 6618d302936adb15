"""Verbs that are killed at any request, before it took effect or after: repeating them converges,
giving up leaves nothing behind, and what is there meanwhile is reported.

The default run kills each verb at one request; `-m slow` at every one.
"""

from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from perdure.deployment import Place
from perdure.runtime.engine import Completed
from perdure_gcp.deploy.verbs import GcpDeployer
from tests.gcp_deploy.cloud import Cloud
from tests.gcp_deploy.cuts import Cuts, cut_at_requests
from tests.gcp_deploy.projects import compile_project, examples

TRIAGE = "examples.triage:triage"
ISSUE: Any = {"issue": {"number": 1, "title": "it crashes"}}
OLD, NEW = "https://issues.example/1#reply", "https://issues.example/1#newer"
type Verb = Callable[[Cloud, Path, tuple[str, ...], Collection[int] | None], Cuts]


def ignored(line: str) -> None:
    """What is being done, said to nobody."""


def deploy(place: Place, weight: int = 100) -> None:
    GcpDeployer().deploy(place, ignored, weight=weight)


def newer(folder: Path, names: tuple[str, ...]) -> Place:
    """The same flows, each with something else in it."""
    for name in names:
        file = folder / "examples" / f"{name}.py"
        file.write_text(file.read_text().replace("#reply", "#newer") + "\n\nNEWER = True\n")
    return compile_project(folder)


def live(place: Place) -> dict[str, list[tuple[int, int]]]:
    """(version, weight) of those that new runs of each flow start on."""
    rows: Any = GcpDeployer().status(place, ignored).data["flows"]
    return {row["flow"]: [(one["version"], one["weight"]) for one in row["live"]] for row in rows}


def gives_up(there: Cloud, place: Place) -> None:
    """Whoever cut it off wants nothing of it any more."""
    GcpDeployer().destroy(place, ignored, flow=None, with_runs=True, with_data=True)
    assert there.left() == []


def runs_to(place: Place, run: str) -> object:
    """What a new run comes to."""
    runs = GcpDeployer().connect(place)
    runs.start(TRIAGE, ISSUE, run)
    runs.send(run, "approval", {"approved": True}, id=f"e-{run}")
    ended = runs.outcome(run)
    return ended.value if isinstance(ended, Completed) else ended


def repeated(there: Cloud, place: Place, names: tuple[str, ...], version: int) -> None:
    """The same deploy again; once more it changes nothing."""
    deploy(place)
    rows: Any = GcpDeployer().deploy(place, ignored).data["deployed"]
    assert not [row for row in rows if row["changed"]]
    assert not GcpDeployer().plan(place, ignored).data["changes"]
    assert live(place) == {name: [(version, 100)] for name in names}
    assert runs_to(place, "after") == (OLD if version == 1 else NEW)
    gives_up(there, place)


def first_deploy(
    there: Cloud, folder: Path, names: tuple[str, ...], only: Collection[int] | None
) -> Cuts:
    place = examples(folder, *names)
    GcpDeployer().package(place, ignored)
    ways = {
        "again": partial(repeated, there, place, names, 1),
        "never": partial(gives_up, there, place),
    }
    return cut_at_requests(there, partial(deploy, place), ways, only)


def second_deploy(
    there: Cloud, folder: Path, names: tuple[str, ...], only: Collection[int] | None
) -> Cuts:
    """A run that waits through it ends on its old code, whatever is done after the cut."""
    place = examples(folder, *names)
    deploy(place)
    GcpDeployer().connect(place).start(TRIAGE, ISSUE, "old")
    place = newer(folder, names)
    GcpDeployer().package(place, ignored)

    def waited() -> None:
        runs = GcpDeployer().connect(place)
        runs.send("old", "approval", {"approved": True}, id="e-old")
        assert runs.outcome("old") == Completed(OLD)

    def again() -> None:
        waited()
        repeated(there, place, names, 2)

    def back() -> None:
        GcpDeployer().rollback(place, ignored, flow=None, to=1)
        assert runs_to(place, "r") == OLD
        waited()
        gives_up(there, place)

    ways = {"again": again, "back": back}
    return cut_at_requests(there, partial(deploy, place), ways, only)


def canary(
    there: Cloud, folder: Path, names: tuple[str, ...], only: Collection[int] | None
) -> Cuts:
    place = examples(folder, *names)
    deploy(place)
    place = newer(folder, names)
    GcpDeployer().package(place, ignored)

    def again() -> None:
        deploy(place, 10)
        assert live(place) == {name: [(1, 90), (2, 10)] for name in names}
        repeated(there, place, names, 2)

    return cut_at_requests(there, partial(deploy, place, 10), {"again": again}, only)


def taken_back(
    there: Cloud, folder: Path, names: tuple[str, ...], only: Collection[int] | None
) -> Cuts:
    place = examples(folder, *names)
    deploy(place)
    place = newer(folder, names)
    deploy(place)

    def rollback() -> None:
        GcpDeployer().rollback(place, ignored, flow=None, to=None)

    def again() -> None:
        rollback()
        assert live(place) == {name: [(1, 100)] for name in names}
        assert runs_to(place, "r") == OLD
        repeated(there, place, names, 2)

    return cut_at_requests(there, rollback, {"again": again}, only)


def destroyed(
    there: Cloud, folder: Path, names: tuple[str, ...], only: Collection[int] | None
) -> Cuts:
    place = examples(folder, *names)
    deploy(place)
    GcpDeployer().connect(place).start(TRIAGE, ISSUE, "old")

    def destroy() -> None:
        GcpDeployer().destroy(place, ignored, flow=None, with_runs=True, with_data=True)

    def anew() -> None:
        destroy()
        assert there.left() == []
        repeated(there, place, names, 1)

    ways: dict[str, Callable[[], None]] = {
        "again": partial(gives_up, there, place),
        "anew": anew,
    }
    return cut_at_requests(there, destroy, ways, only)


VERBS: tuple[Verb, ...] = (first_deploy, second_deploy, canary, taken_back, destroyed)
SOME = (19, 9, 11, 2, 12)
"""The state in which the default run kills, of those that each verb goes through."""


@pytest.mark.parametrize(("verb", "state"), [*zip(VERBS, SOME, strict=True)])
def test_what_is_killed_at_some_request_converges(
    there: Cloud, folder: Path, verb: Verb, state: int
) -> None:
    done = verb(there, folder, ("triage",), (state,))
    assert done.copies
    assert done.wrong == ()


@pytest.mark.slow
@pytest.mark.parametrize("verb", VERBS)
def test_what_is_killed_at_any_request_converges(there: Cloud, folder: Path, verb: Verb) -> None:
    names = ("saga", "triage") if verb is first_deploy else ("triage",)
    done = verb(there, folder, names, None)
    print(verb.__name__, done[:3])
    assert done.wrong == ()
