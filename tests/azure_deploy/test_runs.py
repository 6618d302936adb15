"""Runs of a deployed environment, from code and from the command line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from perdure.cli import main
from perdure.deployment import Place, Runs
from perdure.errors import LimitExceeded, RunConflict
from perdure.runtime.engine import Completed, Failed
from perdure.store.protocol import UnknownRun
from perdure.store.runs import find_run
from perdure_azure.deploy.verbs import AzureDeployer
from tests.azure_deploy.cloud import Cloud
from tests.azure_deploy.projects import deploy, examples, small

FIELDS: Any = {"number": 7, "title": "it crashes", "body": ""}


@pytest.fixture
def place(there: Cloud, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    place = small(folder)
    deploy(place)
    monkeypatch.chdir(place.project.root)
    return place


@pytest.fixture
def runs(place: Place) -> Runs:
    return AzureDeployer().connect(place)


def perdure(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    capsys.readouterr()
    code = main.run(words)
    return code, capsys.readouterr().out


def test_a_start_is_the_run_that_there_is(there: Cloud, runs: Runs) -> None:
    runs.start("app:main", {"n": 1}, "r")
    seed = find_run(runs.store, "r").seed
    runs.start("app:main", {"n": 1}, "r")
    assert find_run(runs.store, "r").seed == seed
    with pytest.raises(RunConflict, match="another input"):
        runs.start("app:main", {"n": 2}, "r")
    with pytest.raises(UnknownRun):
        runs.send("nobody", "more", 1, id="1")
    with pytest.raises(LimitExceeded, match="message_bytes"):
        runs.start("app:main", {"n": "x" * 1_100_000}, "long")
    there.work()
    runs.cancel("r", at_once=False)
    there.work()
    assert find_run(runs.store, "r").status == "cancelled"
    assert isinstance(runs.outcome("r"), Failed)


def test_a_run_that_was_started_by_hand_is_told_its_release(there: Cloud, runs: Runs) -> None:
    (hub,) = there.hubs.values()
    hub.start_instance("app__main", "by-hand", json.dumps({"n": 1}))
    there.work()
    record = find_run(runs.store, "by-hand")
    assert record.versions.source
    runs.send("by-hand", "more", 2, id="1")
    there.work()
    assert runs.outcome("by-hand") == Completed(5)


type Then = Callable[[Cloud], None]


def test_the_tree_is_that_of_a_local_run(
    there: Cloud,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = examples(folder, "triage")
    deploy(place)
    monkeypatch.chdir(folder)
    given = ["--input", json.dumps({"issue": FIELDS}), "--id", "r", "--detach"]
    seen: list[Any] = []
    for on in ((), ("--on", "prod")):
        assert perdure(capsys, "run", "examples/triage.py", *given, *on)[0] == 4
        there.work()
        if on:
            assert "waits for approval" in perdure(capsys, "runs", *on)[1]
            assert "approval() waits until" in perdure(capsys, "show", "r", *on)[1]
            wrong = ["send", "r", "approval", "approved=perhaps", *on]
            assert perdure(capsys, *wrong)[0] == 2, "refused at its sender"
        assert perdure(capsys, "send", "r", "approval", "approved=false", "note=no", *on)[0] == 0
        there.work()
        seen.append(json.loads(perdure(capsys, "show", "r", "--json", *on)[1]))
    local, deployed = seen
    same = ("path", "kind", "name", "arguments", "attempts", "value", "at", "failures", "usage")
    assert [{name: one.get(name) for name in same} for one in local["operations"]] == [
        {name: one.get(name) for name in same} for one in deployed["operations"]
    ]
    whole = ("run", "flow", "status", "input", "result", "error", "progress", "usage")
    assert {name: local[name] for name in whole} == {name: deployed[name] for name in whole}
