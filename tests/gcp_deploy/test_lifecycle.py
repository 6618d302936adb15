"""Environments made, changed, taken back and removed, on Google Cloud in this process."""

from pathlib import Path
from typing import Any

import pytest

from perdure.deployment import Answer, DeployError, Place
from perdure.runtime.engine import Completed, Failed
from perdure_gcp.deploy.verbs import GcpDeployer
from tests.gcp_deploy.cloud import Cloud
from tests.gcp_deploy.projects import CHILDREN, change, compile_project, examples, small


def deploy(place: Place, weight: int = 100) -> Answer:
    return GcpDeployer().deploy(place, ignored, weight=weight)


def ignored(line: str) -> None:
    """What is being done, said to nobody."""


def live(place: Place, flow: str = "main") -> list[tuple[int, int]]:
    """(version, weight) of those that new runs start on."""
    for row in rows(GcpDeployer().status(place, ignored), "flows"):
        if row["flow"] == flow:
            return [(one["version"], one["weight"]) for one in row["live"]]
    raise AssertionError(f"{flow} is not deployed")


def rows(answer: Answer, name: str) -> Any:
    return answer.data[name]  # Any: what `--json` prints


def test_the_examples_are_deployed_and_removed_without_a_trace(there: Cloud, folder: Path) -> None:
    place = examples(folder)
    made = deploy(place)
    named = [row["name"] for row in rows(made, "deployed")]
    assert named == ["store", "agent", "research", "saga", "triage"]
    destroyed = GcpDeployer().destroy(place, ignored, flow=None, with_runs=False, with_data=False)
    assert destroyed.done
    assert there.left() == []


def test_deploying_again_changes_nothing(there: Cloud, folder: Path) -> None:
    place = examples(folder, "triage", "saga")
    deploy(place)
    there.calls.clear()
    again = deploy(place)
    assert not any(row["changed"] for row in rows(again, "deployed"))
    assert "storage.objects.insert" not in {call.method for call in there.calls}


def test_a_plan_shows_resources_and_states_with_their_lines(there: Cloud, folder: Path) -> None:
    place = small(folder)
    first = GcpDeployer().plan(place, ignored)
    assert [row["new"] for row in rows(first, "plan")] == [True, True]
    assert not there.left()
    deploy(place)
    assert not GcpDeployer().plan(place, ignored).data["changes"]
    place = change(folder, 'timeout="5m"', 'timeout="6m"')
    second = GcpDeployer().plan(place, ignored)
    assert "  machine ~ heavy  app.py:15  timeout 330 -> 390" in second.lines
    place = change(folder, "n = await light(n)", "n = await light(await light(n))")
    third = GcpDeployer().plan(place, ignored)
    assert "  machine + light_2  app.py:14  site" in third.lines


def test_new_runs_start_on_what_was_deployed_last_and_go_back(there: Cloud, folder: Path) -> None:
    place = small(folder)
    deploy(place)
    place = change(folder, "n + 1", "n + 2")
    deploy(place)
    assert live(place) == [(2, 100)]
    back = GcpDeployer().rollback(place, ignored, flow=None, to=None)
    assert rows(back, "rolled_back") == [{"flow": "main", "version": 1, "changed": True}]
    assert live(place) == [(1, 100)]
    again = GcpDeployer().rollback(place, ignored, flow=None, to=None)
    assert rows(again, "rolled_back") == [{"flow": "main", "version": 1, "changed": False}]
    assert rows(deploy(place), "deployed")[1]["changed"], "the same again goes forward"
    assert live(place) == [(2, 100)]


def test_a_canary_gets_a_share_until_it_gets_all_or_nothing(there: Cloud, folder: Path) -> None:
    place = small(folder)
    deploy(place)
    place = change(folder, "n + 1", "n + 2")
    deploy(place, 10)
    assert live(place) == [(1, 90), (2, 10)]
    deploy(place, 40)
    assert live(place) == [(1, 60), (2, 40)]
    place = change(folder, "n + 2", "n + 3")
    deploy(place, 20)
    assert live(place) == [(1, 80), (3, 20)], "the stable version stays the stable one"
    deploy(place)
    assert live(place) == [(3, 100)]
    GcpDeployer().rollback(place, ignored, flow="main", to=1)
    assert live(place) == [(1, 100)]


def test_a_version_that_is_not_there_is_refused_with_those_that_are(
    there: Cloud, folder: Path
) -> None:
    place = small(folder)
    deploy(place)
    with pytest.raises(DeployError, match="no version 7: there are 1"):
        GcpDeployer().rollback(place, ignored, flow="main", to=7)


def test_a_wrong_project_is_refused_before_anything_is_made(there: Cloud, folder: Path) -> None:
    place = small(folder)
    wrong = place._replace(environment=place.environment._replace(project="another-project"))
    with pytest.raises(DeployError, match="are of project demo-project"):
        GcpDeployer().plan(wrong, ignored)
    with pytest.raises(DeployError, match="are of project demo-project"):
        deploy(wrong)
    with pytest.raises(DeployError, match="are of project demo-project"):
        GcpDeployer().destroy(wrong, ignored, flow=None, with_runs=True, with_data=True)
    assert there.calls == []


def test_a_flow_that_is_gone_from_the_project_is_named_and_left(there: Cloud, folder: Path) -> None:
    place = examples(folder, "triage", "saga")
    deploy(place)
    (folder / "examples" / "saga.py").unlink()
    for file in (folder / "compiled" / "gcp" / "saga").iterdir():
        file.unlink()
    made = deploy(compile_project(folder))
    assert made.data["left_over"] == ["saga"]
    assert any("perdure destroy prod --flow saga" in line for line in made.lines)
    gone = GcpDeployer().destroy(place, ignored, flow="saga", with_runs=False, with_data=False)
    assert gone.done
    assert not [name for name in there.left() if "saga" in name]


def test_a_flow_that_is_called_alike_does_not_replace_another(there: Cloud, folder: Path) -> None:
    source = "from perdure import flow\n\n@flow\nasync def main() -> int:\n    return 1\n"
    place = small(folder, source + source.partition("\n")[2].replace("main", "_main"))
    with pytest.raises(DeployError, match="shop-prod-main is there already"):
        deploy(place)


def test_a_child_that_outlives_its_run_is_under_way_too(there: Cloud, folder: Path) -> None:
    place = small(folder, CHILDREN.replace("await inner(n) * 10", "len((await inner.start(n)).id)"))
    deploy(place)
    runs = GcpDeployer().connect(place)
    runs.start("app:outer", {"n": 4}, "first")
    assert isinstance(runs.outcome("first"), Completed)
    asked = GcpDeployer().destroy(place, ignored, flow="outer", with_runs=False, with_data=False)
    assert not asked.done
    assert [line.split("  ")[-1] for line in asked.lines[1:]] == ["inner, version 1"]
    GcpDeployer().destroy(place, ignored, flow="outer", with_runs=True, with_data=False)
    assert isinstance(runs.outcome("first/start"), Failed), "its end is noted"


def test_a_run_that_waits_through_a_deploy_ends_on_its_old_code(there: Cloud, folder: Path) -> None:
    place = small(folder)
    deploy(place)
    runs = GcpDeployer().connect(place)
    runs.start("app:main", {"n": 1}, "old")
    place = change(folder, "return n + await", "return 1000 + n + await")
    deploy(place)
    runs.start("app:main", {"n": 1}, "new")
    for run in ("old", "new"):
        runs.send(run, "more", 10, id="e")
    assert (runs.outcome("old"), runs.outcome("new")) == (Completed(14), Completed(1014))


def test_children_of_a_run_stay_on_its_release(there: Cloud, folder: Path) -> None:
    source = CHILDREN.replace(
        "    return await inner(n) * 10",
        """    first = await inner(n)
    return first * await inner(n)""",
    )
    place = small(folder, source)
    deploy(place)
    runs = GcpDeployer().connect(place)
    runs.start("app:outer", {"n": 4}, "old")
    deploy(change(folder, "return await half(n) +", "return 1000 + await half(n) +"))
    for child in ("old/inner", "old/inner.2"):
        runs.send(child, "more", 1, id="e")
    assert runs.outcome("old") == Completed(9)
