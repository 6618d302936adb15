"""What type checkers make of the public names: right use is clean, each wrong line is reported.

`tests/types/right.py` has to pass; in `tests/types/wrong.py` exactly the lines that end in
`# wrong` have to be reported.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

TYPES = Path(__file__).parent / "types"
RIGHT = TYPES / "right.py"
WRONG = TYPES / "wrong.txt"


def _wrong_lines(path: Path) -> set[int]:
    lines = path.read_text("utf-8").splitlines()
    return {number for number, line in enumerate(lines, 1) if line.endswith("# wrong")}


def _mypy(path: Path) -> set[int]:
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", str(path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=TYPES.parent.parent,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found = re.findall(rf"{re.escape(path.name)}:(\d+): error", done.stdout)
    return {int(line) for line in found}


def _pyright(path: Path) -> set[int]:
    done = subprocess.run(
        [sys.executable, "-m", "pyright", "--outputjson", str(path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=TYPES.parent.parent,
    )
    found = json.loads(done.stdout)["generalDiagnostics"]
    return {entry["range"]["start"]["line"] + 1 for entry in found if entry["severity"] == "error"}


def test_right_use_passes_mypy() -> None:
    assert _mypy(RIGHT) == set()


def test_right_use_passes_pyright() -> None:
    assert _pyright(RIGHT) == set()


def test_wrong_use_is_seen_by_mypy(tmp_path: Path) -> None:
    path = tmp_path / "wrong.py"
    path.write_text(WRONG.read_text("utf-8"))
    assert _mypy(path) == _wrong_lines(path)


def test_wrong_use_is_seen_by_pyright(tmp_path: Path) -> None:
    path = tmp_path / "wrong.py"
    path.write_text(WRONG.read_text("utf-8"))
    assert _pyright(path) == _wrong_lines(path)
