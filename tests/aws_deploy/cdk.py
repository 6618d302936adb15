"""aws-cdk-lib, in an environment of its own: it is large, and only who writes CDK apps has it.

It is installed by uv into .cdk, once for the versions named here. It needs node; without node or
uv this fails and says so: nothing is skipped.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["synthesise"]

WANTED = ("aws-cdk-lib==2.275.0", "constructs==10.8.1", "click==8.5.1", "boto3==1.44.5")
ROOT = Path(__file__).parents[2]
HOME = ROOT / ".cdk"


def synthesise(app: Path, folder: Path) -> Path:
    """Run an app; the folder with what it made."""
    assert shutil.which("node"), "node runs the CDK, and is missing"
    out = folder / "cdk.out"
    done = subprocess.run(
        [str(_installed()), str(app)],
        cwd=folder,
        env={
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(folder),
            "CDK_OUTDIR": str(out),
            "PYTHONPATH": os.pathsep.join(str(ROOT / one) for one in ("compiler", "backends")),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    return out


def _installed() -> Path:
    """The Python that has it."""
    uv = shutil.which("uv")
    assert uv is not None, "`uv` installs the CDK for this test, and is missing"
    HOME.mkdir(parents=True, exist_ok=True)
    marker, python = HOME / "installed", HOME / "venv" / "bin" / "python"
    with (HOME / "lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not marker.exists() or marker.read_text() != " ".join(WANTED):
            version = f"{sys.version_info.major}.{sys.version_info.minor}"
            for command in (
                [uv, "venv", "--quiet", "--clear", "--python", version, str(HOME / "venv")],
                [uv, "pip", "install", "--quiet", "--python", str(python), *WANTED],
            ):
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                assert done.returncode == 0, done.stderr
            marker.write_text(" ".join(WANTED))
    return python
