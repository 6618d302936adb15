"""Packages that only one test needs, in an environment of their own: they are large."""

import fcntl
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["python_with"]


def python_with(wanted: tuple[str, ...], home: Path) -> Path:
    """The Python that has the packages; uv installs them once into `home` for these versions."""
    uv = shutil.which("uv")
    assert uv is not None, f"`uv` installs {wanted[0]} for this test, and is missing"
    home.mkdir(parents=True, exist_ok=True)
    marker, python = home / "installed", home / "venv" / "bin" / "python"
    with (home / "lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not marker.exists() or marker.read_text() != " ".join(wanted):
            version = f"{sys.version_info.major}.{sys.version_info.minor}"
            for command in (
                [uv, "venv", "--quiet", "--clear", "--python", version, str(home / "venv")],
                [uv, "pip", "install", "--quiet", "--python", str(python), *wanted],
            ):
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                assert done.returncode == 0, done.stderr
            marker.write_text(" ".join(wanted))
    return python
