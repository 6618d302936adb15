"""What AWS refuses for who asks or when: every verb says what to do about it, and exits with 5."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import (
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
)

from perdure.cli import exits, main
from perdure.deployment import CloudRefused, Place
from perdure_aws.deploy.verbs import AwsDeployer
from tests.aws_deploy.cloud import Call, Cloud
from tests.aws_deploy.projects import small
from tests.aws_deploy.test_versions import FLOW

ROLE = "arn:aws:sts::123456789012:assumed-role/Dev/me"
DENIED = f"User: {ROLE} is not authorized to perform: {{action}} on resource: {{resource}}"
TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/t"
VERBS = {
    "plan": ("plan", "prod"),
    "deploy": ("deploy", "prod"),
    "rollback": ("rollback", "prod"),
    "status": ("status", "prod"),
    "destroy": ("destroy", "prod"),
    "run": ("run", "app.py", "--on", "prod", "--detach"),
    "runs": ("runs", "--on", "prod"),
    "show": ("show", "r", "--on", "prod"),
    "send": ("send", "r", "go", "--payload", '"x"', "--on", "prod"),
    "resume": ("resume", "r", "--on", "prod", "--detach"),
    "cancel": ("cancel", "r", "--on", "prod"),
}


@pytest.fixture
def place(there: Cloud, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    place = small(folder, FLOW)
    AwsDeployer().deploy(place, lambda line: None)
    AwsDeployer().connect(place).start("app:main", {}, "r")
    monkeypatch.chdir(folder)
    return place


def answered(there: Cloud, code: str, said: str, *, at: str = "") -> Callable[[Call], None]:
    def fault(call: Call) -> None:
        if call.operation == at or (not at and call.operation != "GetCallerIdentity"):
            raise there.refused(code, said, call)

    return fault


def called(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    capsys.readouterr()
    code = main.run(words)
    return code, capsys.readouterr().err


def test_a_role_that_may_not_is_told_what_to_allow(
    there: Cloud, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    said = DENIED.format(action="cloudformation:DescribeStacks", resource="*")
    there.fault = answered(there, "AccessDenied", said)
    for words in VERBS.values():
        code, text = called(capsys, *words)
        assert code == exits.ENVIRONMENT, text
        assert f"error: AWS refuses cloudformation:DescribeStacks: {ROLE} may not" in text
        assert '"Action": "cloudformation:DescribeStacks"' in text
        assert "fault of perdure" not in text


def test_so_it_is_in_the_middle_of_a_verb(
    there: Cloud, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    def fault(call: Call) -> None:
        if call.service == "dynamodb":
            said = DENIED.format(action=f"dynamodb:{call.operation}", resource=TABLE)
            raise there.refused("AccessDeniedException", said, call)

    there.fault = fault
    for verb in ("runs", "show", "send", "resume", "cancel", "destroy"):
        code, text = called(capsys, *VERBS[verb])
        assert code == exits.ENVIRONMENT
        assert f"on {TABLE}: {ROLE} may not" in text
        allowed = json.loads(text[text.index("{") : text.index("}") + 1])
        assert (allowed["Effect"], allowed["Resource"]) == ("Allow", TABLE)


FAULTS: dict[str, tuple[str, str, str]] = {
    "expired": ("ExpiredToken", "The security token is expired", "have expired: sign in"),
    "unknown": ("InvalidClientTokenId", "The token is invalid", "does not know these credentials"),
    "throttled": ("ThrottlingException", "Rate exceeded", "takes no more requests just now"),
    "unsaid": ("403", "Forbidden", "who these credentials are of"),
}


def test_what_else_is_refused_says_what_to_do(
    there: Cloud, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    for code, message, expected in FAULTS.values():
        there.fault = answered(there, code, message)
        for words in VERBS.values():
            left, text = called(capsys, *words)
            assert left == exits.ENVIRONMENT, words
            assert expected in text, words


FAILURES: dict[str, tuple[Exception, str]] = {
    "nobody": (NoCredentialsError(), "no AWS credentials were found: sign in"),
    "unreached": (
        EndpointConnectionError(endpoint_url="https://sts.mars-1.amazonaws.com"),
        "AWS cannot be reached in us-east-1",
    ),
    "sso": (
        CredentialRetrievalError(provider="sso", error_msg="the session has expired"),
        "cannot be renewed",
    ),
}


def test_nobody_and_nowhere(there: Cloud, place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    for raised, expected in FAILURES.values():

        def fault(call: Call, raised: Exception = raised) -> None:
            raise raised

        there.fault = fault
        for words in VERBS.values():
            left, text = called(capsys, *words)
            assert left == exits.ENVIRONMENT, words
            assert expected in text, words


def test_a_profile_that_is_not_there_is_named(
    place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobodys")
    left, text = called(capsys, "runs", "--on", "prod")
    assert left == exits.ENVIRONMENT
    assert "nobodys" in text


def test_another_account_is_refused_by_every_verb(
    there: Cloud, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = place.project.root / "pyproject.toml"
    settings.write_text(settings.read_text().replace("123456789012", "999999999999"))
    for words in VERBS.values():
        left, text = called(capsys, *words)
        assert left != 0
        assert left != exits.OUR_FAULT
        assert "of account 123456789012" in text, words


def test_another_region_has_nothing(
    there: Cloud, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = place.project.root / "pyproject.toml"
    settings.write_text(settings.read_text().replace("us-east-1", "eu-west-1"))
    left, text = called(capsys, "runs", "--on", "prod")
    assert left == exits.WRONG_CALL
    assert "`prod` is not deployed in eu-west-1" in text


def test_code_is_told_the_same(there: Cloud, place: Place) -> None:
    runs = AwsDeployer().connect(place)
    there.fault = answered(there, "ExpiredTokenException", "expired", at="GetItem")
    with pytest.raises(CloudRefused, match="have expired"):
        runs.outcome("r")


def test_a_json_answer_says_it_too(
    there: Cloud, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    there.fault = answered(there, "ExpiredToken", "expired")
    assert main.run(["status", "prod", "--json"]) == exits.ENVIRONMENT
    said: Any = json.loads(capsys.readouterr().out)
    assert "have expired" in said["error"]
