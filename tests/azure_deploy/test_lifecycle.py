"""Environments made, changed, taken back and removed, in a cloud in this process."""

from pathlib import Path

from perdure.deployment import Place
from perdure.runtime.engine import Completed
from perdure_azure.deploy.verbs import AzureDeployer
from tests.azure_deploy.cloud import Cloud
from tests.azure_deploy.projects import change, deploy, ignored, rows, small


def live(place: Place, flow: str = "main") -> list[tuple[int, int]]:
    for row in rows(AzureDeployer().status(place, ignored), "flows"):
        if row["flow"] == flow:
            return [(one["version"], one["weight"]) for one in row["live"]]
    raise AssertionError(f"{flow} is not deployed")


def test_a_run_that_waits_through_a_deploy_ends_on_its_old_code(there: Cloud, folder: Path) -> None:
    place = small(folder)
    deploy(place)
    runs = AzureDeployer().connect(place)
    runs.start("app:main", {"n": 1}, "old")
    there.work()
    assert runs.outcome("old") is None
    place = change(folder, "n + 1", "n + 100")
    deploy(place)
    runs = AzureDeployer().connect(place)
    runs.start("app:main", {"n": 1}, "new")
    there.work()
    for run in ("old", "new"):
        runs.send(run, "more", 10, id="1")
        runs.send(run, "more", 10, id="1")
    there.work()
    assert runs.outcome("old") == Completed(13)
    assert runs.outcome("new") == Completed(211)
