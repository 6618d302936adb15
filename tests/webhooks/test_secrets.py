"""Secrets: found by name, never crossing, never shown."""

import base64
import json
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

from perdure import MissingSecret, secret, secrets
from perdure.codec import encode
from perdure.secrets import Pieces, parse_dotenv, redacted, reveals


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
    with pytest.raises(MissingSecret, match="perdure secrets set <environment> OTHER_KEY"):
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


def test_what_was_read_is_masked_as_others_write_it(monkeypatch: pytest.MonkeyPatch) -> None:
    value = "tok/en+ä'1 23456789"
    monkeypatch.setenv("FORMS_KEY", value)
    assert secret("FORMS_KEY").value == value
    for text in (
        json.dumps({"body": json.dumps({"key": value})}),
        repr({"a": f'say "{value}"'}),
        f"https://x/?key={quote(value, safe='')}&n=1",
        urlencode({"key": value}),
        base64.b64encode(value.encode()).decode(),
        base64.urlsafe_b64encode(value.encode()).decode(),
        repr(value.encode()),
    ):
        assert "***" in redacted(text), text
        assert "23456789" not in redacted(text), text
        assert reveals(text), text


def test_telling_parts_of_a_secret_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    line = "MIIEvQIBADANBgkqhkiG9w0B"
    monkeypatch.setenv("PEM", f"-----BEGIN PRIVATE KEY-----\n{line}\nshort\n-----END-----\n")
    fields = {"username": "postgres", "password": "hunter22", "more": {"api_key": "k-123456"}}
    monkeypatch.setenv("CREDENTIALS", json.dumps(fields))
    assert secret("PEM").value
    assert secret("CREDENTIALS").value
    said = redacted(f"{line} short postgres hunter22 k-123456 -----BEGIN PRIVATE KEY-----")
    assert said == "*** short postgres *** *** -----BEGIN PRIVATE KEY-----"
    assert not reveals("hunter22"), "a part is masked, and is not the secret itself"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 30])
def test_a_secret_that_is_cut_over_pieces_is_masked(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUT_KEY", "sk-cut-0123456789")
    assert secret("CUT_KEY").value
    text = "the key is sk-cut-0123456789, not sk-cut-01x nor s\nsk-cut-0123456789sk-cut"
    pieces = Pieces()
    said = [pieces.take(text[at : at + size]) for at in range(0, len(text), size)]
    whole = "".join(said) + pieces.rest()
    assert whole == "the key is ***, not sk-cut-01x nor s\n***sk-cut"
    assert pieces.take("done\n") == "done\n", "nothing waits that needs not"


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
