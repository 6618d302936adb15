"""A bundle as Lambda has it: its files in a folder, a process that sees nothing else."""

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

from perdure.driver import FlowName
from perdure_aws.engine.flows import compiled

__all__ = ["bundle_of", "in_lambda", "unpacked"]

PATHS = """
import json, sys
sys.path[:] = [sys.argv[1], *json.loads(sys.argv[2])]
"""
"""Of Lambda's runtime: the bundle, the standard library, boto3 (here it comes with moto)."""


def bundle_of(file: Path, flow: str | None = None) -> bytes:
    """The zip that is deployed."""
    bundle = compiled(FlowName(file, flow))[2]["bundle.zip"]
    assert isinstance(bundle, bytes)
    return bundle


def unpacked(bundle: bytes, folder: Path) -> Path:
    """The files of the zip in a folder of their own."""
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        archive.extractall(folder)
    return folder


def in_lambda(folder: Path, code: str, *, packages: bool = True) -> Any:
    """What `code` prints as JSON, in a process that has the folder and not this checkout.

    `packages`: boto3 and moto are importable, as they lie in this environment.
    """
    standard = [path for path in sys.path if path.startswith(sys.base_prefix)]
    installed = [path for path in sys.path if Path(path).name == "site-packages"]
    paths = [path for path in standard if path not in installed]
    paths += installed if packages else []
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", PATHS + code, str(folder), json.dumps(paths)],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])  # Any: what the code prints
