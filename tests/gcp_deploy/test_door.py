"""Webhooks, approval links, schedules and secrets of a flow that is deployed on Google Cloud."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from perdure.deployment import Place, Runs
from perdure.runtime.engine import Completed
from perdure.store.runs import list_runs
from perdure_gcp.deploy.verbs import GcpDeployer
from tests.aws_deploy.hooks import HOOKS
from tests.gcp_deploy.cloud import Cloud
from tests.gcp_deploy.projects import change, small
from tests.webhooks.senders import SECRETS, SENDERS

VALUE = "sk-live-0123456789abcdef"
READS = """
from perdure import event, flow, secret, step


@step
async def careful(n: int) -> int:
    assert secret("API_KEY").value
    return n + 1


@step
async def chatty(n: int) -> int:
    print("the key is", secret("API_KEY").value)
    raise RuntimeError(f"no luck with {secret('API_KEY').value}")


@step
async def leaky(n: int) -> str:
    return secret("API_KEY").value


@flow
async def main(n: int) -> list[str]:
    said = [str(await careful(n))]
    for one in (chatty, leaky):
        try:
            await one(n)
        except Exception as error:
            said.append(f"{type(error).__name__}: {error}")
    return said
"""


def silent(line: str) -> None:
    """What is being done, said to nobody."""


@pytest.fixture
def hooks(there: Cloud, folder: Path) -> Place:
    place = small(folder, HOOKS)
    secrets = GcpDeployer().secrets(place)
    for name, value in SECRETS.items():
        secrets.put(name, value)
    GcpDeployer().deploy(place, silent)
    return place


@pytest.fixture
def runs(hooks: Place) -> Runs:
    return GcpDeployer().connect(hooks)


def url_of(place: Place, path: str) -> str:
    row: Any = GcpDeployer().status(place, silent).data["flows"]
    first: str = row[0]["webhooks"][0]
    return first.rpartition("/")[0] + path


def body_of(note: str) -> bytes:
    return json.dumps({"id": f"evt_{note}", "order": {"number": 7, "note": note}}).encode()


def test_a_genuine_delivery_starts_one_run_however_often_it_comes(
    there: Cloud, hooks: Place, runs: Runs
) -> None:
    for one in SENDERS:
        body = body_of("done")
        headers = dict(one.headers(body, there.now, f"genuine-{one.name}"))
        answers = [
            there.knock("POST", url_of(hooks, f"/{one.name}"), headers, body) for _ in range(2)
        ]
        assert [answer.status for answer in answers] == [202, 200], one.name
        run = json.loads(answers[0].body)["run"]
        assert runs.outcome(run) == Completed("done")
        forged = there.knock("POST", url_of(hooks, f"/{one.name}"), {}, body)
        assert forged.status == 401
    assert len(there.running.made) == len(list_runs(runs.store)) == len(SENDERS)


def test_a_link_decides_once(there: Cloud, hooks: Place, runs: Runs, tmp_path: Path) -> None:
    sender = next(one for one in SENDERS if one.name == "github")
    body = body_of(str(tmp_path / "links"))
    headers = dict(sender.headers(body, there.now, "link"))
    run = json.loads(there.knock("POST", url_of(hooks, "/github"), headers, body).body)["run"]
    yes, no = (tmp_path / "links").read_text().split()
    assert yes.startswith(url_of(hooks, "/approve/"))
    assert there.knock("GET", yes, {}, b"").status == 200
    assert runs.outcome(run) is None, "who only looks has not approved"
    assert there.knock("POST", yes, {}, b"").status == 200
    assert there.knock("POST", no, {}, b"").status == 410
    assert runs.outcome(run) == Completed("7: True")


def test_a_moment_that_is_due_starts_one_run(there: Cloud, hooks: Place, runs: Runs) -> None:
    moment = datetime(2026, 3, 2, 9, 0, tzinfo=UTC).isoformat()
    for _ in range(2):  # Cloud Scheduler tells of it at least once
        there.fire(moment)
    started = sorted(record.run for record in list_runs(runs.store))
    assert len(started) == 2, "two schedules, each with an input of its own"
    jobs = [one for name, one in there.kept.there.items() if name.startswith("cloudscheduler/")]
    crons = {(one["schedule"], one["timeZone"]) for one in jobs}
    assert crons == {("30 2 * * *", "Europe/Berlin"), ("0 9 1 * 1", "UTC")}


def test_the_door_starts_runs_on_its_own_release(
    there: Cloud, hooks: Place, runs: Runs, folder: Path
) -> None:
    place = change(folder, "return order.note", 'return order.note + " newer"')
    GcpDeployer().deploy(place, silent)
    sender = next(one for one in SENDERS if one.name == "github")

    def delivered(id: str) -> str:
        body = body_of(f"done {id}")
        headers = dict(sender.headers(body, there.now, id))
        answer = there.knock("POST", url_of(place, "/github"), headers, body)
        run: str = json.loads(answer.body)["run"]
        return run

    assert runs.outcome(delivered("a")) == Completed("done a newer")
    GcpDeployer().rollback(place, silent, flow=None, to=None)
    assert runs.outcome(delivered("b")) == Completed("done b")


def test_each_right_that_is_given_is_used_and_no_other(
    there: Cloud, hooks: Place, runs: Runs, tmp_path: Path
) -> None:
    test_a_link_decides_once(there, hooks, runs, tmp_path)
    test_a_genuine_delivery_starts_and_ends(there, hooks)
    there.fire(datetime(2026, 3, 2, 9, 0, tzinfo=UTC).isoformat())
    runs.start("app:orders", {"order": {"@": "data", "c": "app:Order", "v": {"number": "x"}}}, "r")
    unused = {
        (who.partition("@")[0], what)
        for who, what, _on in there.rights.granted() - there.rights.used
        if not what.startswith("datastore.")
    }
    assert unused == set()


def test_a_genuine_delivery_starts_and_ends(there: Cloud, hooks: Place) -> None:
    for one in SENDERS:
        body = body_of(f"done {one.name}")
        headers = dict(one.headers(body, there.now, f"each-{one.name}"))
        assert there.knock("POST", url_of(hooks, f"/{one.name}"), headers, body).status == 202


def test_no_value_of_a_secret_is_anywhere(
    there: Cloud, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    place = small(folder, READS)
    said: list[str] = []
    first = GcpDeployer().plan(place, said.append)
    assert first.data["missing_secrets"] == ["API_KEY"]
    secrets = GcpDeployer().secrets(place)
    assert (secrets.put("API_KEY", VALUE), secrets.put("API_KEY", VALUE)) == (True, False)
    made = GcpDeployer().deploy(place, said.append)
    assert made.data["missing_secrets"] == []
    runs = GcpDeployer().connect(place)
    runs.start("app:main", {"n": 1}, "r")
    ended = runs.outcome("r")
    assert isinstance(ended, Completed)
    assert "***" in str(ended.value)
    kept = json.dumps([there.kept.there, there.firestore.documents], default=str)
    files = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    histories = str([one.history for one, *_ in there.running.made.values()])
    printed = capfd.readouterr()
    for text in (kept, str(said), histories, printed.out, printed.err, str(first), str(made)):
        assert VALUE not in text
    assert VALUE.encode() not in files + b"".join(there.kept.objects.values())
    refused = GcpDeployer().destroy(place, silent, flow=None, with_runs=False, with_data=False)
    assert any("secret" in line and "--with-data" in line for line in refused.lines)
    assert secrets.remove("API_KEY")
    assert not secrets.remove("API_KEY")
    GcpDeployer().destroy(place, silent, flow=None, with_runs=False, with_data=True)
    assert there.left() == []


def test_an_execution_that_workflows_ends_has_its_end_in_the_store(
    there: Cloud, folder: Path
) -> None:
    place = small(folder)
    GcpDeployer().deploy(place, silent)
    runs = GcpDeployer().connect(place)
    runs.start("app:main", {"n": 1}, "r")
    (name,) = there.running.made
    there.running.engine.cancel(there.running.made[name][0])
    there.advance(1)
    (record,) = list_runs(runs.store)
    assert record.status == "cancelled"
    assert there.logged == [name]


def test_settings_are_variables_of_the_services(there: Cloud, folder: Path) -> None:
    more = '\n[tool.perdure.env.prod.settings]\nMODEL = "large ${Project}"\n'
    source = """
import os

from perdure import flow, step


@step
async def model() -> str:
    return os.environ["MODEL"]


@flow
async def main() -> str:
    return await model()
"""
    place = small(folder, source, more)
    assert "settings: MODEL=large ${Project}" in GcpDeployer().plan(place, silent).lines
    GcpDeployer().deploy(place, silent)
    runs = GcpDeployer().connect(place)
    runs.start("app:main", {}, "r")
    assert runs.outcome("r") == Completed("large ${Project}")
