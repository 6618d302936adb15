"""Histories of runs under way, executed again with other code."""

from pathlib import Path

import pytest

from perdure.cli.main import run as command
from perdure.testing import run

pytest.importorskip("azure.durable_functions", reason="version 2 needs Python 3.13")

from perdure_azure.engine.against import Verdict, check_history, history_text
from perdure_azure.engine.compiled import compiled

OLD = """from perdure import event, flow, sleep, step

@step
async def work(name: str) -> str:
    return name

@step
async def other(name: str) -> str:
    return name

@flow
async def main(n: int) -> str:
    first = await work("a")
    await sleep("1h")
    second = await work(first + "b")
    await event("go")
    return await other(second)
"""


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("return await other(second)", "return await other(second + '!')", None),
        ("    await event", "    # a comment\n    await event", None),
        ('work("a")', 'other("a")', 13),
        ('work("a")', 'work("z")', 13),
        ('    await sleep("1h")\n', "", 14),
        ('    await event("go")\n', '    await other("x")\n    await event("go")\n', None),
        ('work(first + "b")', 'work(first + "c")', 15),
    ],
)
def test_a_run_goes_on_under_new_code_or_the_line_is_named(
    old: str, new: str, line: int | None, tmp_path: Path
) -> None:
    file = tmp_path / "flows.py"
    file.write_text(OLD)
    waiting = run(f"{file}:main", {"n": 1}, target="azure", unscripted="run")
    assert waiting.status == "waiting"
    text = history_text("run", waiting.history)
    file.write_text(OLD.replace(old, new))
    verdict = check_history(compiled(file, "main").files, text)
    assert (verdict.problem is None) == (line is None), verdict
    assert (verdict.site.line if verdict.site else None) == line


def test_the_command_names_the_line_of_each_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, history = tmp_path / "flows.py", tmp_path / "history.json"
    file.write_text(OLD)
    (tmp_path / "pyproject.toml").write_text("[tool.perdure]\n")
    waiting = run(f"{file}:main", {"n": 1}, target="azure", unscripted="run")
    history.write_text(history_text("run", waiting.history))
    call = ["check", f"{file}:main", "--against", str(history)]
    assert (command(call), capsys.readouterr().out) == (0, "run run: safe\n")
    file.write_text(OLD.replace('work("a")', 'work("z")'))
    assert command(call) == 1
    said = capsys.readouterr().out
    assert said == "flows.py:13: run run: `work` is called otherwise than it was\n"
    history.write_text('{"version": 2}')
    assert command(call) == 2


def test_a_run_that_has_ended_is_safe(tmp_path: Path) -> None:
    file = tmp_path / "flows.py"
    file.write_text(OLD)
    ended = run(
        f"{file}:main", {"n": 1}, target="azure", unscripted="run", events=[("2h", "go", 0)]
    )
    text = history_text("run", ended.history)
    assert check_history(compiled(file, "main").files, text) == Verdict("run", None, None)


STORED = '{"version": 1, "run": "r", "events": %s}'
BEGUN = '{"orchestratorStarted": {}}'
STARTED = '{"executionStarted": {"name": "flows__main", "input": "5"}}'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "Expecting value"),
        ("null", "it is no object like"),
        ("[]", "it is no object like"),
        ("{}", "a history of version None"),
        ('{"version": "1"}', "a history of version '1'"),
        ('{"version": 1}', 'it has no text "run"'),
        ('{"version": 1, "run": 5, "events": []}', 'it has no text "run"'),
        (STORED % "{}", 'no list "events"'),
        (STORED % "[]", "which orchestrator was started"),
        (STORED % "[5]", "event 0 is none of protobuf"),
        (STORED % '[{"bogus": 1}]', "event 0 is none of protobuf"),
        (STORED % f"[{STARTED}]", "does not begin an episode"),
        (STORED % f"[{BEGUN}]", "which orchestrator was started"),
    ],
)
def test_what_is_no_history_is_named(
    text: str, problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, history = tmp_path / "flows.py", tmp_path / "history.json"
    file.write_text(OLD)
    (tmp_path / "pyproject.toml").write_text("[tool.perdure]\n")
    history.write_text(text)
    assert command(["check", f"{file}:main", "--against", str(history)]) == 2
    assert problem in capsys.readouterr().err


def test_a_history_that_the_code_cannot_read_is_no_safe_one(tmp_path: Path) -> None:
    file = tmp_path / "flows.py"
    file.write_text(OLD)
    text = STORED % f"[{BEGUN}, {STARTED}]"
    verdict = check_history(compiled(file, "main").files, text)
    assert verdict.problem == "the input of a flow is an object, with its parameters as names"


def test_one_of_several_flows_has_to_be_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, history = tmp_path / "flows.py", tmp_path / "history.json"
    file.write_text(f"{OLD}\n\n@flow\nasync def second() -> None: ...\n")
    (tmp_path / "pyproject.toml").write_text("[tool.perdure]\n")
    history.write_text(STORED % f"[{BEGUN}, {STARTED}]")
    assert command(["check", str(file), "--against", str(history)]) == 2
    assert "flows.py has 2 flows: name one, as FILE:FLOW" in capsys.readouterr().err
