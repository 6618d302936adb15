"""`perdure secrets` on this machine: lines of `.env`."""

import io
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from perdure.cli.main import run
from perdure.local.dotenv import DotEnv
from perdure.secrets import parse_dotenv
from tests.local.project import command, write_project

FLOW = """
from perdure import flow, secret, step


@step
async def call() -> int:
    return len(secret("API_KEY").value)


@flow
async def main() -> int:
    return await call()
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").write_text('[tool.perdure]\nflows = ["app.py"]\n')
    (tmp_path / "app.py").write_text(FLOW)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(monkeypatch: pytest.MonkeyPatch, given: str, *words: str) -> int:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(given.encode())))
    return run(["secrets", *words])


def test_a_secret_is_set_listed_and_never_shown(
    project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "", "list", "local") == 0
    said = capfd.readouterr()
    assert said.out == "API_KEY  missing  read by main\n"
    assert "perdure secrets set local API_KEY" in said.err
    assert call(monkeypatch, "sk-123456\n", "set", "local", "API_KEY") == 0
    assert call(monkeypatch, "", "list", "local", "--json") == 0
    said = capfd.readouterr()
    assert '"state": "present"' in said.out
    assert "sk-" not in said.out + said.err
    assert (project / ".env").read_text() == "API_KEY=sk-123456\n"
    assert (project / ".env").stat().st_mode & 0o777 == 0o600
    assert call(monkeypatch, "x", "set", "local", "API_KEI") == 0
    assert "no flow reads API_KEI; the nearest is `API_KEY`" in capfd.readouterr().err
    assert run(["run", "app.py"]) == 0
    assert capfd.readouterr().out == "9\n"


@pytest.mark.parametrize(
    "value",
    ["plain", "with space", "a'b", 'a"b$c\\d', "two\nlines\tand a tab", "# no comment", "ä"],
)
def test_other_lines_stay_and_values_come_back(tmp_path: Path, value: str) -> None:
    before = "# mine\nexport A=1 # one\nMANY='x\ny'\nMANY2=\"p\nq\"\nKEY='old\nvalue'\nB=2"
    (tmp_path / ".env").write_text(before)
    assert not DotEnv(tmp_path).put("KEY", value)
    text = (tmp_path / ".env").read_text()
    assert text.startswith("# mine\nexport A=1 # one\nMANY='x\ny'\nMANY2=\"p\nq\"\nB=2\nKEY=")
    assert parse_dotenv(text) == {"A": "1", "MANY": "x\ny", "MANY2": "p\nq", "B": "2", "KEY": value}


def test_a_secret_is_deleted_where_it_was_set(
    project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "", "delete", "local", "API_KEY") == 2
    (project / ".env").write_text("A=1\nAPI_KEY='old\nvalue'\nB=2\n")
    assert call(monkeypatch, "", "delete", "local", "API_KEY") == 0
    assert "main reads it" in capfd.readouterr().err
    assert (project / ".env").read_text() == "A=1\nB=2\n"
    (project / ".env").write_text("API_KEY=1\n")
    (project / ".env.local").write_text("API_KEY=2\n")
    assert call(monkeypatch, "", "delete", "local", "API_KEY") == 0
    assert "API_KEY is still found here" in capfd.readouterr().err


def test_an_environment_that_is_not_there_is_named(
    project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "x", "set", "prod", "API_KEY") == 2
    assert "there is no environment `prod`" in capfd.readouterr().err
    assert json.dumps(sorted(path.name for path in project.iterdir())) == (
        '["app.py", "pyproject.toml"]'
    )


def test_the_keyring_of_this_machine(
    project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "x", "set", "local", "API_KEY", "--keyring") == 2
    assert "the package `keyring` is not installed" in capfd.readouterr().err
    kept: dict[tuple[str, str], str] = {}

    def get_password(service: str, name: str) -> str | None:
        return kept.get((service, name))

    def set_password(service: str, name: str, value: str) -> None:
        kept[service, name] = value

    def delete_password(service: str, name: str) -> None:
        del kept[service, name]

    ring = ModuleType("keyring")
    ring.__dict__.update(
        get_password=get_password,
        set_password=set_password,
        delete_password=delete_password,
    )
    monkeypatch.setitem(sys.modules, "keyring", ring)
    assert call(monkeypatch, "sk-1234567\n", "set", "local", "API_KEY", "--keyring") == 0
    assert kept == {(f"perdure {project.name}", "API_KEY"): "sk-1234567"}
    assert not (project / ".env").exists()
    assert call(monkeypatch, "", "list", "local") == 0
    assert "API_KEY  present" in capfd.readouterr().out
    assert run(["run", "app.py"]) == 0
    assert capfd.readouterr().out == "10\n"
    assert call(monkeypatch, "x", "set", "prod", "API_KEY", "--keyring") == 2
    for code in (0, 2):
        assert call(monkeypatch, "", "delete", "local", "API_KEY", "--keyring") == code
    assert kept == {}


TELLS = """
import logging
from perdure import flow, secret, step


@step
def tell() -> int:
    key = secret("API_KEY").value
    print("the key is", key)
    logging.getLogger("app").warning("the key is %s", key)
    return len(key)


@flow
async def main() -> int:
    return await tell()
"""


def test_what_a_step_prints_or_logs_shows_no_secret(tmp_path: Path) -> None:
    root = write_project(tmp_path, app=TELLS)
    (root / ".env").write_text("API_KEY=not-for-your-eyes\n")
    said = command(root, "run", "app.py")
    assert said.count("the key is ***\n") == 2
    assert "not-for-your-eyes" not in said
