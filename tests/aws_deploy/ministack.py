"""ministack: somebody else's AWS in a process of its own, with a CloudFormation and real functions.

It is installed by uv into .ministack (not beside us: it pins another botocore), once for each
version named here. Without uv this fails and says so: nothing is skipped.
"""

import os
import socket
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tests.aws_deploy.installed import python_with

__all__ = ["ACCOUNT", "ministack"]

ACCOUNT = "000000000000"
WANTED = ("ministack==1.5.33", "boto3==1.43.106")
"""boto3 is what Lambda's own runtime brings along."""
HOME = Path(__file__).parents[2] / ".ministack"
STARTED_SECONDS = 60


@contextmanager
def ministack(folder: Path) -> Generator[dict[str, str]]:
    """A fresh one; the variables with which boto3 finds it."""
    python = python_with(WANTED, HOME)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
    }
    with (folder / "ministack.log").open("w") as log:
        process = subprocess.Popen(
            [str(python), "-m", "ministack"],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _wait_for(port, process)
            yield {
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "AWS_DEFAULT_REGION": "us-east-1",
            }
        finally:
            # Its workers are in its own group.
            os.killpg(process.pid, 15)
            process.wait(timeout=20)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + STARTED_SECONDS
    while time.monotonic() < until:
        assert process.poll() is None, "ministack has ended"
        with socket.socket() as asked:
            if asked.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("ministack does not answer")
