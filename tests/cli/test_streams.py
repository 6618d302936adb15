"""Whatever the streams, the input and the store are: a plain message and the right exit code."""

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

FLOW = """
from perdure import flow, gather, step

@step
async def hello(name: str) -> str:
    return f"hello {name}"

@flow
async def greet(name: str = "w\\u00f6rld") -> list[str]:
    print("\\u2713 gr\\u00fc\\u00dfe")
    return await gather(hello(name), hello("\\u2192"))
"""
PERDURE = f"{sys.executable} -m perdure"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(FLOW)
    return tmp_path


def shell(
    folder: Path, script: str, *, encoding: str = "utf-8", **variables: str
) -> tuple[int, str, str]:
    """Exit code and what was written; `perdure` is the command under test."""
    kept = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail\n{script.replace('perdure ', f'{PERDURE} ')}"],
        cwd=folder,
        env={**kept, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout.decode(encoding), done.stderr.decode(encoding)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'\xff{"name": 1}', "--input is not UTF-8: byte 0 is 0xff"),
        (b'{"name": ' + b"[" * 9_000 + b"]" * 9_000 + b"}", "nested"),
        (b"[" * 200_000, "--input is not JSON: it is nested too deeply"),
        (b'{"name": [' + b"1" * 5_000 + b"]}", "--input is not JSON"),
        (b"", "--input is not JSON"),
        (None, "--input @in.json: No such file or directory"),
    ],
    ids=["not utf-8", "deep", "deeper", "huge number", "empty", "missing"],
)
def test_an_input_that_is_none_is_a_wrong_call(
    content: bytes | None, said: str, folder: Path
) -> None:
    if content is not None:
        (folder / "in.json").write_bytes(content)
    code, out, err = shell(folder, "perdure run app.py --input @in.json")
    assert (code, out) == (2, "")
    assert said in err
    assert len(err) < 1_000


def test_a_closed_standard_input_is_empty(folder: Path) -> None:
    code, _, err = shell(folder, "perdure run app.py --input - <&-")
    assert code == 2
    assert "--input is not JSON" in err


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-", "2>/dev/full"])
def test_a_closed_stream_changes_nothing_of_a_run(closed: str, folder: Path) -> None:
    code, out, err = shell(folder, f"perdure run app.py {closed}")
    assert code == 0
    assert "Traceback" not in out + err
    code, out, _ = shell(folder, "perdure runs")
    assert out.count("completed") == 1


@pytest.mark.parametrize(
    "command", ["run app.py", "--help", "--version", "rule", "compile -t aws app.py"]
)
def test_output_that_cannot_be_written_is_said(command: str, folder: Path) -> None:
    code, _, err = shell(folder, f"perdure {command} >/dev/full")
    assert code == 5
    assert "error: the output cannot be written: No space left on device\n" in err
    if "run" in command:
        assert shell(folder, "perdure runs")[1].count("completed") == 1


def test_without_a_reader_a_run_goes_on_and_nothing_is_said(folder: Path) -> None:
    code, _, err = shell(folder, "perdure run app.py | true")
    assert code == 5
    assert err.startswith("run greet-")
    assert err.count("\n") == 2
    assert shell(folder, "perdure runs")[1].count("completed") == 1
    assert shell(folder, "perdure show | head -1")[2] == ""


PRINTS = """
import subprocess
import sys
from perdure import flow, step

@step
def s(n: int) -> int:
    print("chatty", n)
    subprocess.run(["echo", "echoed"], check=True)
    print("more", file=sys.stderr)
    return n

@flow
async def main(n: int = 50) -> int:
    for i in range(n):
        await s(i)
    return n
"""


def test_what_a_step_prints_is_no_result(tmp_path: Path) -> None:
    (tmp_path / "pr.py").write_text(PRINTS)
    code, out, err = shell(tmp_path, "perdure run pr.py n=2")
    assert (code, out) == (0, "2\n")
    assert "chatty 0\n" in err
    assert "echoed\n" in err
    code, out, _ = shell(tmp_path, "perdure run pr.py n=2 2>/dev/full")
    assert (code, out) == (0, "2\n")


def test_a_step_that_prints_does_not_see_that_nobody_reads(tmp_path: Path) -> None:
    (tmp_path / "pr.py").write_text(PRINTS.replace("    subprocess.run", "    (lambda *a, **k: 0)"))
    shell(tmp_path, "perdure run pr.py 2>&1 | head -1")
    assert shell(tmp_path, "perdure runs")[1].count("completed") == 1


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "latin-1"])
def test_a_tree_is_drawn_in_what_the_output_can_show(encoding: str, folder: Path) -> None:
    poor = {"PYTHONIOENCODING": encoding, "LC_ALL": "C"}
    code, out, _ = shell(folder, "perdure run app.py", encoding=encoding, **poor)
    assert code == 0
    assert json.loads(out[out.index("[") :]) == ["hello w\u00f6rld", "hello \u2192"]
    code, tree, _ = shell(folder, "perdure show", encoding=encoding, **poor)
    assert code == 0
    assert tree.startswith("+ greet-")
    assert "  |- gather[0]\n  |  `- + hello(" in tree
    told = shell(folder, "perdure show --json", encoding=encoding, **poor)[1]
    assert json.loads(told)["input"] == {"name": "w\u00f6rld"}
    assert shell(folder, "perdure show")[1].startswith("\u2713 greet-")


def test_colors_are_as_the_environment_says(folder: Path) -> None:
    (folder / "bad.py").write_text(
        "from perdure import flow\n\n@flow\nasync def f() -> int:\n    yield 1\n"
    )
    shell(folder, "perdure run app.py")
    for command in ("show", "check bad.py"):
        told = [
            "".join(shell(folder, f"perdure {command}", **variables)[1:])
            for variables in ({}, {"FORCE_COLOR": "1"}, {"FORCE_COLOR": "1", "NO_COLOR": "1"})
        ]
        assert ["\x1b[" in text for text in told] == [False, True, False]
    terminal = "script -qec 'perdure show' /dev/null"
    assert "\x1b[" in shell(folder, terminal)[1]
    assert "\x1b[" not in shell(folder, terminal, NO_COLOR="1")[1]


def _foreign(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE customers (name TEXT)")


def test_a_store_that_is_none_is_a_wrong_call_and_stays_as_it_was(folder: Path) -> None:
    (folder / "folder.db").mkdir()
    (folder / "text.db").write_text("no database at all, but a text that is long enough\n" * 99)
    _foreign(folder / "foreign.db")
    for name in ("folder.db", "text.db", "foreign.db"):
        for command in ("run app.py", "runs", "show", "resume", "send last x", "cancel last"):
            code, out, err = shell(folder, f"perdure {command}", PERDURE_STORE=name)
            assert (code, out) == (2, ""), (name, command)
            assert f"{name}` is no store of runs; name another file with PERDURE_STORE" in err
    with sqlite3.connect(folder / "foreign.db") as connection:
        names = connection.execute("SELECT name FROM sqlite_master").fetchall()
    assert names == [("customers",)]


def test_a_store_that_this_machine_refuses_is_exit_5(folder: Path) -> None:
    shell(folder, "perdure run app.py")
    path = folder / ".perdure" / "runs.db"
    whole = path.read_bytes()
    path.write_bytes(whole[: 2 * 4096] + b"\xa5" * (len(whole) - 2 * 4096))
    code, _, err = shell(folder, "perdure run app.py")
    assert code == 5
    assert "store of runs cannot be used: database disk image is malformed" in err
    assert "Traceback" not in err
    code, _, err = shell(folder, "perdure run app.py", PERDURE_STORE="/dev/full")
    assert code == 2, "a device is none, whatever it refuses"
    assert "`/dev/full` is no store of runs; name another file with PERDURE_STORE" in err


def test_a_folder_that_cannot_be_written_is_exit_5(folder: Path) -> None:
    code, _, err = shell(folder, "perdure run app.py", PERDURE_STORE="/proc/1/x/runs.db")
    assert (code, err.count("\n")) == (2, 1), "there is no such folder"
    target = Path("/sys/kernel")
    if not target.is_dir():
        pytest.skip("no folder that even root cannot write to")
    code, _, err = shell(folder, f"perdure compile app.py -t aws --out {target}/x")
    assert code == 5
    assert err.startswith(f"error: {target}/x")


def test_what_is_drawn_is_what_the_file_is_named(folder: Path) -> None:
    code, _, err = shell(folder, "perdure graph app.py --output g.png")
    assert code == 2
    assert "a graph is no `.png`" in err
    assert not (folder / "g.png").exists()
    assert shell(folder, "perdure graph app.py --output g.svg")[0] == 0
    assert (folder / "g.svg").read_text().startswith("<svg")


def test_runs_of_a_folder_above_are_named(folder: Path) -> None:
    shell(folder, "perdure run app.py")
    (folder / "below").mkdir()
    code, _, err = shell(folder / "below", "perdure runs")
    assert code == 2
    assert f"`cd {folder}`" in err


def test_what_was_called_by_its_path_is_printed_with_it(folder: Path) -> None:
    (folder / "wait.py").write_text(
        "from perdure import event, flow\n\n@flow\nasync def main() -> None:\n"
        "    await event('go')\n"
    )
    script = Path(sys.executable).parent / "perdure"
    code, out, _ = shell(folder, f"'{script}' run wait.py --id w --detach", PATH="/usr/bin:/bin")
    assert code == 4
    assert f"\n  {script} send w go" in out


def test_a_truth_value_is_no_int(tmp_path: Path) -> None:
    (tmp_path / "n.py").write_text(
        "from decimal import Decimal\nfrom perdure import flow\n\n@flow\n"
        "async def main(i: int = 0, d: Decimal = Decimal(0)) -> str:\n    return f'{i} {d}'\n"
    )
    assert shell(tmp_path, "perdure run n.py i=true")[0] == 2
    digits = "12345678901234567890.12345678901"
    assert shell(tmp_path, f"perdure run n.py d={digits}")[1] == f'"0 {digits}"\n'
    whole = f"perdure run n.py --input '{{\"d\": {digits}}}'"
    assert shell(tmp_path, whole)[1] == f'"0 {digits}"\n'


def test_a_run_that_was_stopped_waits_for_nothing(folder: Path) -> None:
    (folder / "wait.py").write_text(
        "from perdure import event, flow\n\n@flow\nasync def main() -> None:\n"
        "    await event('go', timeout='3d')\n"
    )
    shell(folder, "perdure run wait.py --id w --detach")
    assert " waits until " in shell(folder, "perdure show w")[1]
    shell(folder, "perdure cancel w --now")
    tree = shell(folder, "perdure show w")[1]
    assert "go() \u2192 stopped" in tree
    assert "waits" not in tree
