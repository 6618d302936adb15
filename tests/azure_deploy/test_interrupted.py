"""The process ends at one of its requests, before it did anything or after: repeating converges."""

from pathlib import Path

import pytest

from perdure.deployment import Answer, Place
from perdure.runtime.engine import Completed
from perdure_azure.deploy.verbs import AzureDeployer
from tests.azure_deploy.cloud import Cloud, Cut
from tests.azure_deploy.projects import change, deploy, ignored, small

SAMPLE = 23
"""Of requests, in the default run: one in so many is the last."""


def left(there: Cloud) -> list[str]:
    """What is there, without what counts requests."""
    return sorted(there.left())


def destroy(place: Place) -> Answer:
    return AzureDeployer().destroy(place, ignored, flow=None, with_runs=True, with_data=True)


def cut(there: Cloud, number: int, after: bool, place: Place, verb: object) -> bool:
    """Do something that ends at its n-th request; whether it came so far."""
    there.calls.clear()
    there.cut_at, there.cut_after = number, after
    try:
        assert callable(verb)
        verb(place)
    except Cut:
        return True
    finally:
        there.cut_at = None
    return False


def converges(there: Cloud, folder: Path, step: int) -> int:
    """Cut the first deploy, the second and the destroy at every step-th request; how many."""
    place = small(folder)
    deploy(place)
    first = left(there)
    destroy(place)
    assert left(there) == []
    cuts = 0
    for after in (False, True):
        number = 1
        while cut(there, number, after, place, deploy):
            deploy(place)
            assert left(there) == first
            cuts, number = cuts + 1, number + step
            while cut(there, number, after, place, destroy):
                if cuts % 2:
                    destroy(place)
                    assert left(there) == []
                deploy(place)
                assert left(there) == first
                cuts, number = cuts + 1, number + step
            destroy(place)
            assert left(there) == []
    return cuts


def test_at_a_sample_of_requests_of_deploy_and_destroy(there: Cloud, folder: Path) -> None:
    assert converges(there, folder, SAMPLE) > 2


@pytest.mark.slow
def test_at_every_request_of_deploy_and_destroy(there: Cloud, folder: Path) -> None:
    assert converges(there, folder, 1) > 60


@pytest.mark.parametrize("number", [17, 23])
def test_a_second_deploy_that_was_cut_loses_no_run(number: int, there: Cloud, folder: Path) -> None:
    place = small(folder)
    deploy(place)
    runs = AzureDeployer().connect(place)
    runs.start("app:main", {"n": 1}, "old")
    there.work()
    place = change(folder, "n + 1", "n + 100")
    cut(there, number, True, place, deploy)
    runs = AzureDeployer().connect(place)
    runs.start("app:main", {"n": 1}, "between")
    there.work()
    deploy(place)
    for run in ("old", "between"):
        runs.send(run, "more", 10, id="1")
    there.work()
    assert runs.outcome("old") == Completed(13)
    assert runs.outcome("between") in (Completed(13), Completed(211))
