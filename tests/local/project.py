"""Projects in a temporary folder, and the command line run on them as people run it."""

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["command", "popen", "write_project"]

SETTINGS = '[tool.perdure]\npython = "3.13"\n'


def write_project(root: Path, **files: str) -> Path:
    (root / "pyproject.toml").write_text(SETTINGS)
    for name, text in files.items():
        (root / f"{name}.py").write_text(text)
    return root


def _environment() -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith("PERDURE")}
    return {**kept, "NO_COLOR": "1"}


def popen(root: Path, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "perdure", *arguments],
        cwd=root,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def command(root: Path, *arguments: str, code: int = 0) -> str:
    """Run a command to its end; what it wrote. It has to leave with `code`."""
    process = popen(root, *arguments)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, (process.returncode, out, err)
    return out + err
