"""Runs of a deployed environment, from code and from the command line."""

import asyncio
import json
import shlex
import time
from pathlib import Path
from typing import Any

import pytest

from perdure.cli import main
from perdure.deployment import Place, Runs
from perdure.errors import LimitExceeded, RunConflict
from perdure.runtime.engine import Completed, Failed
from perdure.runtime.values import result_of
from perdure.store.protocol import UnknownRun
from perdure.store.runs import find_run
from perdure.store.starts import is_noted, note_start
from perdure_aws.deploy.verbs import AwsDeployer
from tests.aws_deploy.cloud import Cloud
from tests.aws_deploy.projects import examples

FIELDS: Any = {"number": 7, "title": "it crashes", "body": ""}
ISSUE: Any = {"issue": {"@": "data", "c": "examples.triage:Issue", "v": FIELDS}}
"""As `Flow.start` encodes it."""
TRIAGE = "examples.triage:triage"


@pytest.fixture
def place(there: Cloud, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    place = examples(folder, "triage")
    AwsDeployer().deploy(place, lambda line: None)
    monkeypatch.chdir(place.project.root)
    return place


@pytest.fixture
def runs(place: Place) -> Runs:
    return AwsDeployer().connect(place)


def test_a_run_waits_is_woken_and_ends(there: Cloud, runs: Runs) -> None:
    runs.start(TRIAGE, ISSUE, "r")
    assert runs.outcome("r") is None
    there.advance(3600)
    runs.send("r", "approval", {"approved": True}, id="e")
    assert runs.outcome("r") == Completed("https://issues.example/7#reply")


def test_a_start_is_the_run_that_there_is(runs: Runs) -> None:
    runs.start(TRIAGE, ISSUE, "r")
    seed = find_run(runs.store, "r").seed
    runs.start(TRIAGE, ISSUE, "r")
    assert find_run(runs.store, "r").seed == seed
    with pytest.raises(RunConflict, match="another input"):
        runs.start(TRIAGE, {"issue": {"number": 8, "title": "x"}}, "r")
    with pytest.raises(RunConflict, match="not of"):
        runs.start("examples.saga:saga", ISSUE, "r")


def test_an_input_that_does_not_fit_ends_the_run_with_what_is_wrong(runs: Runs) -> None:
    runs.start(TRIAGE, {"issue": {"number": "seven"}}, "r")
    ended = runs.outcome("r")
    assert isinstance(ended, Failed)
    with pytest.raises(Exception, match=r"issue\.number"):
        result_of(ended)


def test_a_run_that_waits_is_cancelled(there: Cloud, runs: Runs) -> None:
    runs.start(TRIAGE, ISSUE, "r")
    runs.cancel("r", at_once=False)
    assert find_run(runs.store, "r").status == "cancelled"


def test_a_run_is_stopped_at_once(runs: Runs) -> None:
    runs.start(TRIAGE, ISSUE, "r")
    runs.cancel("r", at_once=True)
    assert find_run(runs.store, "r").status == "cancelled"
    assert isinstance(runs.outcome("r"), Failed)


def test_nobody_sends_to_a_run_that_is_none(runs: Runs) -> None:
    with pytest.raises(UnknownRun):
        runs.send("nobody", "approval", None, id="e")


def test_an_input_that_is_too_long_leaves_nothing_behind(
    there: Cloud, runs: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    long: Any = {**FIELDS, "body": "x" * 300_000}
    with pytest.raises(LimitExceeded, match="payload_bytes"):
        runs.start(TRIAGE, {"issue": {**ISSUE["issue"], "v": long}}, "r")
    assert not is_noted(runs.store, "r")
    given = json.dumps({"issue": long})
    (Path.cwd() / "long.json").write_text(given)
    started = ["run", "examples/triage.py", "--input", "@long.json", "--on", "prod"]
    assert perdure(capsys, *started)[0] == 2, "the call is wrong"


def test_a_start_that_no_site_has_claimed_is_listed(
    there: Cloud, place: Place, runs: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    runs.start(TRIAGE, ISSUE, "first")
    note_start(runs.store, "noted", TRIAGE, "", "00" * 16, now=time.time() + 60)
    listed = perdure(capsys, "runs", "--on", "prod")[1].splitlines()
    assert [line.split("  ")[0] for line in listed] == ["noted", "first"]
    assert "starting" in listed[0]
    (row, _) = json.loads(perdure(capsys, "runs", "--on", "prod", "--json")[1])
    assert (row["status"], row["waits_for"], row["ended"]) == ("starting", [], None)
    assert len(perdure(capsys, "runs", "--on", "prod", "--limit", "1")[1].splitlines()) == 1
    for verb in (["show"], ["cancel"], ["send", "approval"]):
        words = [verb[0], "noted", *verb[1:], "--on", "prod"]
        assert main.run(words) == 2
        assert "run `noted` is starting" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("x" * 81, "at most 80 characters, this one 81"),
        ("x" * 3_000, "at most 80 characters, this one 3000"),
        ("é", "`é` is no run id"),
        ("order-2", "the nearest is `order-1`"),
    ],
)
def test_the_verbs_say_what_is_wrong_with_an_id_that_no_run_has(
    name: str, why: str, runs: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    runs.start(TRIAGE, ISSUE, "order-1")
    for words in (["show", name], ["send", name, "e"], ["cancel", name], ["resume", name]):
        assert main.run([*words, "--on", "prod"]) == 2
        said = capsys.readouterr().err
        assert "no run has the id `" in said
        assert why in said
    assert main.run(["run", "examples/triage.py", "--id", "x" * 81, "--on", "prod"]) == 2


def test_the_middle_of_a_run_is_no_place_to_begin_at(
    there: Cloud, runs: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    runs.start(TRIAGE, ISSUE, "r")
    verbs = (["retry", "r"], ["fork", "r", "--at", "draft"])
    for words in verbs:
        assert main.run([*words, "--on", "prod"]) == 2
        assert "has not ended: `perdure resume r --on prod` wakes it" in capsys.readouterr().err
    runs.send("r", "approval", {"approved": False, "note": "no"}, id="e")
    said = ""
    for words, done in zip(verbs, ("retried", "forked"), strict=True):
        assert main.run([*words, "--on", "prod"]) == 2
        said = capsys.readouterr().err
        assert f"run r cannot be {done} in `prod`" in said
    typed = shlex.split(said.rstrip().splitlines()[-1])
    assert typed[0] == "perdure"
    assert main.run([*typed[1:], "--id", "again", "--detach"]) == 4
    assert find_run(runs.store, "again").input_digest == find_run(runs.store, "r").input_digest


def test_three_days_pass(there: Cloud, runs: Runs) -> None:
    runs.start(TRIAGE, ISSUE, "r")
    there.advance(3 * 86_400 + 10)
    assert runs.outcome("r") == Completed("escalated: nobody answered in three days")


def test_from_code(there: Cloud, runs: Runs) -> None:
    async def drive() -> object:
        await asyncio.to_thread(runs.start, TRIAGE, ISSUE, "r")
        await runs.client.send("r", "approval", {"approved": False, "note": "no"})
        return result_of(await runs.client.result("r"))

    assert asyncio.run(drive()) == "rejected: no"


def perdure(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    capsys.readouterr()
    code = main.run(words)
    return code, capsys.readouterr().out


def test_from_the_command_line(
    there: Cloud, place: Place, runs: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    given = json.dumps({"issue": FIELDS})
    file = "examples/triage.py"
    started = ["run", file, "--input", given, "--id", "r", "--on", "prod", "--detach"]
    assert perdure(capsys, *started)[0] == 4
    code, listed = perdure(capsys, "runs", "--on", "prod")
    assert code == 0
    assert "waits for approval" in listed
    code, tree = perdure(capsys, "show", "--on", "prod")
    assert "✓ classify" in tree
    assert "examples/triage.py:46" in tree
    assert 'if kind == "spam" -> draft  examples/triage.py:47' in tree
    assert "approval() waits until" in tree
    wrong = ["send", "r", "approval", "approved=perhaps", "--on", "prod"]
    assert perdure(capsys, *wrong)[0] == 2, "a payload that does not fit is refused at its sender"
    right = ["send", "r", "approval", "approved=true", "--on", "prod"]
    assert perdure(capsys, *right)[0] == 0
    code, text = perdure(capsys, "show", "r", "--on", "prod", "--json")
    shown = json.loads(text)
    assert (shown["status"], shown["result"]) == ("completed", "https://issues.example/7#reply")
    assert [one["path"] for one in shown["operations"]] == [
        "classify",
        "draft",
        "approval",
        "post",
    ]
    assert [one["at"] for one in shown["operations"]][2] == "examples/triage.py:52"
    assert perdure(capsys, "cancel", "r", "--on", "prod")[0] == 2


def test_the_tree_is_that_of_a_local_run(
    there: Cloud, place: Place, runs: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--input", json.dumps({"issue": FIELDS}), "--id", "r", "--detach"]
    seen: list[Any] = []
    for on in ((), ("--on", "prod")):
        assert perdure(capsys, "run", "examples/triage.py", *given, *on)[0] == 4
        assert perdure(capsys, "send", "r", "approval", "approved=false", "note=no", *on)[0] == 0
        seen.append(json.loads(perdure(capsys, "show", "r", "--json", *on)[1]))
    local, deployed = seen
    same = ("path", "kind", "name", "arguments", "attempts", "value", "at", "failures", "usage")
    assert [{name: one.get(name) for name in same} for one in local["operations"]] == [
        {name: one.get(name) for name in same} for one in deployed["operations"]
    ]
    whole = ("run", "flow", "status", "input", "result", "error", "progress", "usage")
    assert {name: local[name] for name in whole} == {name: deployed[name] for name in whole}
