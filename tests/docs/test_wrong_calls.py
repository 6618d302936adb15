"""What a new user types wrong in the starter project: exit code 2, and what to write instead."""

from pathlib import Path

import pytest

from perdure.cli.main import run

CALLS = (
    (["rnu"], "the nearest is `run`"),
    (["run", "flows/repl.py"], "the nearest is `flows/reply.py`"),
    (["run", "flows"], "name a file in it"),
    (["run", "flows/reply.py", "qestion=x"], "the nearest is `question`"),
    (["run", "flows/reply.py", "question"], "`name=value`"),
    (["run", "flows/reply.py", "--input", "{bad"], "--input is not JSON"),
    (["run", "flows/reply.py", "--input", "[1]"], "keyed by parameter name"),
    (["run", "flows/reply.py", "--input", '{"question": 3}'], "expected str, got int 3"),
    (["run", "flows/reply.py", "--id", "a/b"], "as in `--id order-17`"),
    (["run", "flows/reply.py", "--id", "r1", "question=other"], "another input"),
    (["send", "r1", "aproval", "approved=true"], "the nearest is `approval`"),
    (["send", "r1", "approval", "aproved=true"], "the nearest is `approved`"),
    (["send", "r1", "approval", "approved=maybe"], "`approved` is bool, such as `approved=true`"),
    (["send", "r2", "approval", "approved=true"], "the nearest is `r1`"),
    (["show", "nope"], "`perdure runs` lists them"),
    (["resume", "nope"], "`perdure runs` lists them"),
    (["cancel", "nope"], "`perdure runs` lists them"),
    (["rule", "PDR999"], "the nearest is"),
    (["ir", "flows/reply.py", "--after", "nonsense"], "there are build,"),
    (["compile", "flows/reply.py"], "`--target aws`"),
    (["compile", "flows/reply.py", "--target", "awz"], "`--target aws`"),
    (["compile", "nope.py", "--target", "aws"], "there is no file `nope.py`"),
    (["init"], "perdure init my-agent"),
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The starter project, with a run `r1` that waits for an approval."""
    folder = tmp_path_factory.mktemp("new") / "my-agent"
    with pytest.MonkeyPatch.context() as patch:
        assert run(["init", str(folder)]) == 0
        patch.chdir(folder)
        assert run(["run", "flows/reply.py", "--id", "r1", "--detach"]) == 4
    return folder


@pytest.mark.parametrize(("call", "said"), CALLS, ids=[" ".join(call) for call, _ in CALLS])
def test_a_wrong_call_says_what_to_write(
    call: list[str],
    said: str,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(project)
    assert run(call) == 2
    assert said in capsys.readouterr().err


def test_a_store_that_is_none_is_named(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    monkeypatch.setenv("PERDURE_STORE", "README.md")
    assert run(["run", "flows/reply.py"]) == 2
    assert "PERDURE_STORE" in capsys.readouterr().err
