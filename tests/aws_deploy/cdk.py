"""aws-cdk-lib, in an environment of its own: it is large, and only who writes CDK apps has it.

It is installed by uv into .cdk, once for the versions named here. It needs node; without node or
uv this fails and says so: nothing is skipped.
"""

import os
import shutil
import subprocess
from pathlib import Path

from tests.aws_deploy.installed import python_with

__all__ = ["synthesise"]

WANTED = ("aws-cdk-lib==2.275.0", "constructs==10.8.1", "click==8.5.1", "boto3==1.44.5")
ROOT = Path(__file__).parents[2]
HOME = ROOT / ".cdk"


def synthesise(app: Path, folder: Path) -> Path:
    """Run an app; the folder with what it made."""
    assert shutil.which("node"), "node runs the CDK, and is missing"
    out = folder / "cdk.out"
    done = subprocess.run(
        [str(python_with(WANTED, HOME)), str(app)],
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
