# pyright: reportUnknownMemberType=false
# (the stubs know `client` by the names of all services, also of those that are not installed)
"""Secrets of a deployed flow: set by name, read by who names them, and nowhere to be found."""

import io
import json
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from perdure.cli import main
from perdure.deployment import Place
from perdure.errors import RunConflict
from perdure.runtime.engine import Completed, Failed
from perdure.runtime.values import result_of
from perdure_aws.deploy.verbs import AwsDeployer
from perdure_aws.secret_values import KEPT_SECONDS, MISSED_SECONDS, SecretValues
from tests.aws_deploy.cloud import Cloud
from tests.aws_deploy.hooks import deliver, url_of
from tests.aws_deploy.projects import small

VALUE = "sk-live-0123456789abcdef"
HOOK = "It's a Secret to Everybody"
FLOW = """
from perdure import GitHub, Webhook, flow, secret, step


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


@flow(on=Webhook("/github", verify=GitHub(secret("GITHUB_SECRET"))))
async def main(n: int) -> list[str]:
    said = [str(await careful(n))]
    for one in (chatty, leaky):
        try:
            await one(n)
        except Exception as error:
            said.append(f"{type(error).__name__}: {error}")
    return said
"""


def perdure(monkeypatch: pytest.MonkeyPatch, given: str, *words: str) -> int:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(given.encode())))
    return main.run(words)


@pytest.fixture
def place(there: Cloud, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.chdir(folder)
    return small(folder, FLOW)


def test_no_value_is_anywhere(
    there: Cloud,
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert perdure(monkeypatch, VALUE + "\n", "secrets", "set", "prod", "API_KEY") == 0
    assert perdure(monkeypatch, HOOK, "secrets", "set", "prod", "GITHUB_SECRET", "--json") == 0
    AwsDeployer().deploy(place, lambda line: None)
    runs = AwsDeployer().connect(place)
    answer = deliver(there, "github", b'{"n": 1}', "d-1")
    run = json.loads(answer.body)["run"]
    ended = runs.outcome(run)
    assert isinstance(ended, Completed)
    said: Any = result_of(ended)
    assert said[0] == "2", "it was read"
    assert said[1] == "RuntimeError: no luck with ***"
    assert said[2].startswith("TypeError")
    assert main.run(["show", run, "--on", "prod"]) == 0
    assert main.run(["show", run, "--on", "prod", "--json"]) == 0
    assert main.run(["status", "prod"]) == 0
    set_by_us = [one for one in there.calls if one.operation in ("CreateSecret", "PutSecretValue")]
    assert len(set_by_us) == 2
    seen = [repr(one) for one in there.calls if one not in set_by_us]
    seen += [repr(one.now) + one.input for one in there.states.executions.values()]
    seen += [machine.definition for machine in there.states.machines.values()]
    seen += [repr(boto3.client("dynamodb").scan(TableName=_table()))]
    seen += [file.read_bytes().decode("latin-1") for file in _files(place.project.root)]
    seen += [answer.body, *capfd.readouterr()]
    assert sum(map(len, seen)) > 100_000
    assert "no luck with ***" in "".join(seen)
    for value in (VALUE, HOOK):
        assert not [text for text in seen if value in text]


def _table() -> str:
    (name,) = boto3.client("dynamodb").list_tables()["TableNames"]
    return name


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_missing_secret_is_said_before_and_after(
    there: Cloud, place: Place, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    planned = AwsDeployer().plan(place, lambda line: None)
    assert planned.data["missing_secrets"] == ["API_KEY", "GITHUB_SECRET"]
    assert any("perdure secrets set prod API_KEY" in line for line in planned.lines)
    assert perdure(monkeypatch, HOOK, "secrets", "set", "prod", "GITHUB_SECRET") == 0
    deployed = AwsDeployer().deploy(place, lambda line: None)
    assert deployed.data["missing_secrets"] == ["API_KEY"]
    assert f"main: webhook {url_of(there, '/github')}" in deployed.lines
    status = AwsDeployer().status(place, lambda line: None)
    assert any(url_of(there, "/github") in line for line in status.lines)
    runs = AwsDeployer().connect(place)
    runs.start("app:main", {"n": 1}, "r")
    ended = runs.outcome("r")
    assert isinstance(ended, Failed)
    with pytest.raises(LookupError, match="perdure secrets set prod API_KEY"):
        result_of(ended)
    capfd.readouterr()
    assert perdure(monkeypatch, "", "secrets", "list", "prod", "--json") == 0
    listed = json.loads(capfd.readouterr().out)
    assert listed["secrets"] == [
        {"name": "API_KEY", "state": "missing", "flows": ["main"]},
        {"name": "GITHUB_SECRET", "state": "present", "flows": ["main"]},
    ]


def test_destroy_names_the_secrets_and_keeps_them_until_told(
    there: Cloud, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert perdure(monkeypatch, VALUE, "secrets", "set", "prod", "API_KEY") == 0
    assert perdure(monkeypatch, HOOK, "secrets", "set", "prod", "GITHUB_SECRET") == 0
    other = _secrets_manager()
    other.create_secret(Name="small/production/API_KEY", SecretString="of another environment")
    AwsDeployer().deploy(place, lambda line: None)
    destroy = partial(AwsDeployer().destroy, place, lambda line: None, flow=None)
    kept = destroy(with_runs=True, with_data=False)
    assert not kept.done
    names = [f"{place.name}/prod/API_KEY", f"{place.name}/prod/GITHUB_SECRET"]
    assert kept.data["kept_secrets"] == names
    assert kept.lines[-2:] == tuple(f"  {name}" for name in names)
    assert destroy(with_runs=True, with_data=True).done
    left = [str(one["Name"]) for one in other.list_secrets()["SecretList"]]
    assert left == ["small/production/API_KEY"]
    assert destroy(with_runs=False, with_data=False).done, "there is nothing any more"


def _secrets_manager() -> Any:
    """Any: its stubs are not installed."""
    return getattr(boto3, "client")("secretsmanager")  # noqa: B009


def test_a_run_may_be_sent_to_as_soon_as_it_was_asked_for(there: Cloud, place: Place) -> None:
    AwsDeployer().deploy(place, lambda line: None)
    runs = AwsDeployer().connect(place)
    heard: Any = runs
    asked: list[dict[str, Any]] = []

    def unheard(**given: Any) -> None:
        asked.append(given)

    with pytest.MonkeyPatch.context() as patch:  # nobody hears whether the execution began
        patch.setattr(heard.steps, "start_execution", unheard)
        runs.start("app:main", {"n": 1}, "r-1")
    runs.send("r-1", "early", None, id="e-1")
    assert len(asked) == 1
    with pytest.raises(RunConflict, match="another input"):
        runs.start("app:main", {"n": 2}, "r-1")
    runs.start("app:main", {"n": 1}, "r-1")
    (again,) = there.states.executions.values()
    assert json.loads(again.input) == json.loads(asked[0]["input"]), "with the seed that was noted"


def test_a_webhook_whose_secret_is_missing_is_our_fault(there: Cloud, place: Place) -> None:
    AwsDeployer().deploy(place, lambda line: None)
    answer = deliver(there, "github", b'{"n": 1}', "d-1")
    assert (answer.status, json.loads(answer.body)) == (
        500,
        {"error": "this webhook is not set up"},
    )
    assert there.states.executions == {}


def test_a_secret_is_replaced_and_restored(there: Cloud, place: Place) -> None:
    secrets = AwsDeployer().secrets(place)
    assert secrets.put("API_KEY", "one")
    assert not secrets.put("API_KEY", "two")
    boto: Any = boto3  # Any: a client without stubs
    client = boto.client("secretsmanager")
    client.delete_secret(SecretId="shop/prod/API_KEY")
    assert secrets.present(["API_KEY"]) == frozenset()
    assert not secrets.put("API_KEY", "three")
    assert client.get_secret_value(SecretId="shop/prod/API_KEY")["SecretString"] == "three"


def test_a_secret_is_deleted_and_set_again(
    there: Cloud, place: Place, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    delete = ("secrets", "delete", "prod", "API_KEY")
    assert perdure(monkeypatch, "", *delete) == 2
    assert "API_KEY is not set in prod" in capfd.readouterr().err
    assert perdure(monkeypatch, VALUE, "secrets", "set", "prod", "API_KEY") == 0
    assert perdure(monkeypatch, "", *delete) == 0
    assert "main reads it, and fails until it is set again" in capfd.readouterr().err
    secrets = AwsDeployer().secrets(place)
    assert secrets.present(["API_KEY"]) == frozenset()
    assert not secrets.remove("API_KEY"), "it is on its way out"
    assert perdure(monkeypatch, "new-value", "secrets", "set", "prod", "API_KEY") == 0
    assert secrets.present(["API_KEY"]) == {"API_KEY"}
    capfd.readouterr()
    assert perdure(monkeypatch, "", *delete, "--json") == 0
    assert json.loads(capfd.readouterr().out)["deleted"]


def test_secrets_leave_with_the_codes_of_all_verbs(
    there: Cloud, place: Place, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    verbs = (["set", "prod", "API_KEY"], ["list", "prod"], ["delete", "prod", "API_KEY"])

    def denied(call: Any) -> None:
        if call.service == "secretsmanager":
            raise there.refused("AccessDeniedException", "no", call)

    there.fault = denied
    for words in verbs:
        assert perdure(monkeypatch, VALUE, "secrets", *words) == 5
    there.fault = lambda call: None
    file = place.project.root / "pyproject.toml"
    file.write_text(file.read_text().replace("123456789012", "999999999999"))
    for words in (
        *(["secrets", *one] for one in verbs),
        ["status", "prod"],
        ["runs", "--on", "prod"],
    ):
        capfd.readouterr()
        assert perdure(monkeypatch, VALUE, *words) == 5, words
        assert "are of account 123456789012" in capfd.readouterr().err


WRONG = [
    ("", "API_KEY", "an empty secret"),
    ("x" * 70_000, "API_KEY", "at most 65536 bytes"),
    ("x", "api-key", "no name of a secret"),
    ("x", "PERDURE_LINK_KEY", "is made where links are"),
]


@pytest.mark.usefixtures("place")
def test_what_cannot_be_a_secret_is_refused(
    there: Cloud, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for given, name, says in WRONG:
        assert perdure(monkeypatch, given, "secrets", "set", "prod", name) == 2
        assert says in capfd.readouterr().err
    assert "CreateSecret" not in {call.operation for call in there.calls}


def test_a_function_keeps_a_value_for_a_while() -> None:
    class Client:
        asked = 0

        def get_secret_value(self, *, SecretId: str) -> dict[str, str]:  # noqa: N803
            self.asked += 1
            return {"SecretString": f"{SecretId} {self.asked}"}

    client, now = Client(), [0.0]
    read = SecretValues(client, {"A": "shop/prod/A"}, lambda: now[0])
    assert (read("A"), read("A"), read("B")) == ("shop/prod/A 1", "shop/prod/A 1", None)
    now[0] = KEPT_SECONDS
    assert read("A") == "shop/prod/A 2"


def test_a_function_asks_for_a_secret_that_is_missing_once_in_some_seconds() -> None:
    class Client:
        asked = 0

        def get_secret_value(self, *, SecretId: str) -> dict[str, str]:  # noqa: N803
            self.asked += 1
            if self.asked == 3:
                return {"SecretString": "here"}
            code = "ResourceNotFoundException"
            raise ClientError({"Error": {"Code": code, "Message": SecretId}}, "GetSecretValue")

    client, now = Client(), [0.0]
    read = SecretValues(client, {"A": "shop/prod/A"}, lambda: now[0])
    assert [read("A") for _ in range(5)] == [None] * 5
    assert client.asked == 1
    now[0] = MISSED_SECONDS
    assert [read("A"), read("A"), client.asked] == [None, None, 2]
    now[0] = 2 * MISSED_SECONDS
    assert read("A") == "here"
