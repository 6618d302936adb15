"""Environments made, changed, taken back and removed, in a cloud in this process."""

from pathlib import Path

import pytest

from perdure.deployment import CloudRefused, DeployError, Place
from perdure.runtime.engine import Completed
from perdure_azure.deploy.verbs import AzureDeployer
from tests.azure_deploy.cloud import Cloud
from tests.azure_deploy.projects import change, deploy, examples, ignored, rows, small


def live(place: Place, flow: str = "main") -> list[tuple[int, int]]:
    """(version, weight) of those that new runs start on."""
    for row in rows(AzureDeployer().status(place, ignored), "flows"):
        if row["flow"] == flow:
            return [(one["version"], one["weight"]) for one in row["live"]]
    raise AssertionError(f"{flow} is not deployed")


def test_examples_are_deployed_and_removed_without_a_trace(there: Cloud, folder: Path) -> None:
    place = examples(folder, "saga", "triage")
    made = deploy(place)
    assert [row["name"] for row in rows(made, "deployed")] == ["store", "saga", "triage"]
    assert len(there.hubs) == 2
    again = deploy(place)
    assert not any(row["changed"] for row in rows(again, "deployed"))
    assert not AzureDeployer().plan(place, ignored).data["changes"]
    destroyed = AzureDeployer().destroy(place, ignored, flow=None, with_runs=False, with_data=False)
    assert destroyed.done
    assert there.left() == []


def test_a_run_that_waits_through_a_deploy_ends_on_its_old_code(there: Cloud, folder: Path) -> None:
    place = small(folder)
    deploy(place)
    runs = AzureDeployer().connect(place)
    runs.start("app:main", {"n": 1}, "old")
    there.work()
    assert runs.outcome("old") is None
    place = change(folder, "n + 1", "n + 100")
    deploy(place)
    assert live(place) == [(2, 100)]
    status = AzureDeployer().status(place, ignored)
    assert rows(status, "flows")[0]["running"] == [{"version": 1, "runs": 1}]
    runs = AzureDeployer().connect(place)
    runs.start("app:main", {"n": 1}, "new")
    there.work()
    for run in ("old", "new"):
        runs.send(run, "more", 10, id="1")
        runs.send(run, "more", 10, id="1")
    there.work()
    assert runs.outcome("old") == Completed(13)
    assert runs.outcome("new") == Completed(211)


def test_new_runs_start_on_what_was_deployed_last_and_go_back(there: Cloud, folder: Path) -> None:
    place = small(folder)
    deploy(place)
    place = change(folder, "n + 1", "n + 2")
    deploy(place)
    assert live(place) == [(2, 100)]
    back = AzureDeployer().rollback(place, ignored, flow=None, to=None)
    assert rows(back, "rolled_back") == [{"flow": "main", "version": 1, "changed": True}]
    assert live(place) == [(1, 100)]
    again = AzureDeployer().rollback(place, ignored, flow=None, to=None)
    assert rows(again, "rolled_back") == [{"flow": "main", "version": 1, "changed": False}]
    with pytest.raises(DeployError, match="no version 7: there are 2, 1"):
        AzureDeployer().rollback(place, ignored, flow="main", to=7)
    assert rows(deploy(place), "deployed")[1]["changed"], "the same again goes forward"
    assert live(place) == [(2, 100)]


def test_a_canary_gets_a_share_until_it_gets_all_or_nothing(there: Cloud, folder: Path) -> None:
    place = small(folder)
    deploy(place)
    place = change(folder, "n + 1", "n + 2")
    deploy(place, 10)
    assert live(place) == [(1, 90), (2, 10)]
    runs = AzureDeployer().connect(place)
    for number in range(40):
        runs.start("app:main", {"n": 1}, f"run-{number}")
    found = rows(AzureDeployer().status(place, ignored), "flows")[0]["running"]
    shares = {one["version"]: one["runs"] for one in found}
    assert shares[1] > shares[2] > 0
    assert sum(shares.values()) == 40
    deploy(place)
    assert live(place) == [(2, 100)]


def test_a_plan_shows_resources_functions_and_files(there: Cloud, folder: Path) -> None:
    place = small(folder)
    first = AzureDeployer().plan(place, ignored)
    assert [row["new"] for row in rows(first, "plan")] == [True, True]
    assert not there.left()
    deploy(place)
    assert not AzureDeployer().plan(place, ignored).data["changes"]
    heavy = "@step\nasync def heavy(n: int) -> int:\n    return n\n\n@flow"
    file = folder / "app.py"
    file.write_text(file.read_text().replace("@flow", heavy, 1))
    place = change(folder, "return await light(n)", "return await heavy(n)")
    second = AzureDeployer().plan(place, ignored)
    assert "  app + app__heavy    activity" in second.lines
    assert any(line.startswith("  app ~ app.py  line ") for line in second.lines)


def test_what_would_be_lost_is_said_before_it_is(there: Cloud, folder: Path) -> None:
    place = small(folder)
    deploy(place)
    runs = AzureDeployer().connect(place)
    runs.start("app:main", {"n": 1}, "one")
    there.work()
    AzureDeployer().secrets(place).put("TOKEN", "s3cret-value")
    asked = AzureDeployer().destroy(place, ignored, flow=None, with_runs=False, with_data=False)
    assert not asked.done
    assert asked.lines == (
        "1 run is under way, and would be lost; --with-runs stops it:",
        "  one  main, version 1",
        "the store keeps 1 run; --with-data deletes it, for good",
        "1 secret is kept; --with-data deletes it, for good:",
        "  TOKEN",
    )
    done = AzureDeployer().destroy(place, ignored, flow=None, with_runs=True, with_data=True)
    assert done.done
    assert there.left() == []
    assert len(there.arm.purged) == 1


def test_a_wrong_subscription_or_tenant_is_refused(there: Cloud, folder: Path) -> None:
    place = small(folder)
    wrong = place.environment._replace(subscription="00000000-0000-0000-0000-00000000dead")
    with pytest.raises(CloudRefused, match="these credentials see no subscription"):
        deploy(place._replace(environment=wrong))
    other = place.environment._replace(tenant="00000000-0000-0000-0000-00000000beef")
    with pytest.raises(CloudRefused, match="is of tenant"):
        deploy(place._replace(environment=other))
    with pytest.raises(DeployError, match="says no resource_group"):
        deploy(place._replace(environment=place.environment._replace(resource_group="")))
    assert not there.left()


def test_plain_settings_are_refused_and_not_passed_over(there: Cloud, folder: Path) -> None:
    place = small(folder)
    place = place._replace(environment=place.environment._replace(settings={"MODEL": "large"}))
    for verb in (AzureDeployer().plan, AzureDeployer().deploy):
        with pytest.raises(DeployError, match="has `settings`, and what is deployed to Azure"):
            verb(place, ignored)
    allowed = place._replace(environment=place.environment._replace(settings={}, allow=("x:Y *",)))
    with pytest.raises(DeployError, match="has `allow`, and what is deployed to Azure"):
        deploy(allowed)
    assert not there.left()


def test_what_somebody_else_deployed_is_left_alone(there: Cloud, folder: Path) -> None:
    place = small(folder)
    deploy(place)
    before = there.left()
    # What flows of `prod-main` share is called as the flow `main` of `prod` is.
    other = place._replace(environment=place.environment._replace(name="prod-main"))
    refused = "perdure-shop-prod-main is there already, and is of .*`prod`, flow `main`"
    for verb in (AzureDeployer().plan, AzureDeployer().deploy):
        with pytest.raises(DeployError, match=refused):
            verb(other, ignored)
    assert there.left() == before
