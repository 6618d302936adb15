"""`perdure probe` on the command line: it tells before it does, and refuses by name."""

import json

import pytest

from perdure.backend import PROBERS
from perdure.cli.main import run


@pytest.mark.parametrize("target", [*PROBERS])
def test_nothing_is_asked_before_it_was_told(
    target: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["probe", target]) == 0
    out = capfd.readouterr().out
    assert f"perdure probe {target} --yes would make in your account:" in out
    assert "deleted" in out
    assert "$" in out
    assert run(["probe", target, "--json"]) == 0
    told = json.loads(capfd.readouterr().out)
    assert told["target"] == target
    assert len(told["questions"]) > 5


@pytest.mark.parametrize(
    ("target", "settings", "missing"),
    [
        ("gcp", [], "set CLOUDSDK_AUTH_ACCESS_TOKEN"),
        ("aws", ["--set", "role=arn:aws:iam::1:role/r"], "no credentials"),
    ],
)
def test_without_credentials_it_refuses_and_says_what_to_set(
    target: str,
    settings: list[str],
    missing: str,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("CLOUDSDK_AUTH_ACCESS_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    code = run(["probe", target, "--yes", *settings])
    out, err = capfd.readouterr()
    assert (code, out) == (5, "")
    assert missing in err


def test_a_project_has_to_be_named(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUDSDK_AUTH_ACCESS_TOKEN", "t")
    assert run(["probe", "gcp", "--yes"]) == 5
    assert "name the project: --set project=PROJECT" in capfd.readouterr().err


def test_what_cannot_be_asked_is_named(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["probe", "azure"]) == 2
    assert "there is nothing to ask of `azure`; there is of aws, gcp" in capfd.readouterr().err
    assert run(["probe", "gcp", "--set", "project"]) == 2
    assert "`project` is no NAME=VALUE" in capfd.readouterr().err
