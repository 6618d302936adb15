"""Secrets: found by name, never crossing, never shown."""

import json
from pathlib import Path

import pytest

from perdure import MissingSecret, secret, secrets
from perdure.codec import encode
from perdure.secrets import parse_dotenv, redacted, reveals


def test_the_environment_wins_over_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / ".env").write_text("A_KEY=from env file\nB_KEY=b\nC_KEY=c\n")
    (tmp_path / ".env.local").write_text("B_KEY=local\n")
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    monkeypatch.setenv("A_KEY", "from the environment")
    values = [secret(name).value for name in ("A_KEY", "B_KEY", "C_KEY")]
    assert values == ["from the environment", "local", "c"]


def test_a_resolver_comes_between_environment_and_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(secrets, "_resolvers", [])
    secrets.read_from({"CLOUD_KEY": "from the cloud"}.get)
    assert secret("CLOUD_KEY").value == "from the cloud"
    with pytest.raises(MissingSecret, match="perdure secrets set ENV OTHER_KEY"):
        _ = secret("OTHER_KEY").value


def test_a_secret_prints_as_its_name_and_never_crosses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "sk-1234567890")
    item = secret("SOME_KEY")
    assert item.value == "sk-1234567890"
    assert "1234" not in f"{item} {item!r}"
    with pytest.raises(TypeError, match="a secret never enters state"):
        encode({"key": item})


def test_what_was_read_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONG_KEY", "sk-abcdef-and-more")
    monkeypatch.setenv("PART_KEY", "sk-abcdef")
    monkeypatch.setenv("SHORT_KEY", "abc")
    assert not reveals("sk-abcdef-and-more")
    for name in ("LONG_KEY", "PART_KEY", "SHORT_KEY"):
        assert secret(name).value
    assert redacted("a sk-abcdef-and-more b sk-abcdef c abc") == "a *** b *** c abc"
    assert reveals("x sk-abcdef x")


def test_what_was_read_is_masked_as_repr_and_json_write_it(monkeypatch: pytest.MonkeyPatch) -> None:
    value = '-----BEGIN KEY-----\nMII"ab\\c\u00e9\n-----END KEY-----'
    monkeypatch.setenv("PEM_KEY", value)
    assert secret("PEM_KEY").value == value
    for text in (
        value,
        repr([value]),
        json.dumps([value]),
        json.dumps([value], ensure_ascii=False),
    ):
        assert "MII" not in redacted(text), text
        assert "***" in redacted(text)


@pytest.mark.parametrize("name", ["", "a b", "1A", "A-B", "A/B", "A\n"])
def test_names_are_those_of_environment_variables(name: str) -> None:
    with pytest.raises(ValueError, match="no name of a secret"):
        secret(name)


def test_dotenv_lines() -> None:
    text = (
        "# a comment\n\nA=1\nexport B = two words # comment\nC='it # stays $x \\n'\n"
        'D="line\\nnext \\"q\\" \\$5" # c\nE=\nF="two\nlines"\nnot a line\nG=a#b\nH=#x\nI="open\n'
    )
    assert parse_dotenv(text) == {
        "A": "1",
        "B": "two words",
        "C": "it # stays $x \\n",
        "D": 'line\nnext "q" $5',
        "E": "",
        "F": "two\nlines",
        "G": "a#b",
        "H": "",
        "I": "open",
    }
