"""The pytest plugin: `flow_run` runs a flow on every installed target."""

import subprocess
import sys
from pathlib import Path

from perdure.testing.runner import targets

FLOW = """
from perdure import flow, step

@step
async def double(n: int) -> int: ...

@flow
async def main(n: int) -> int:
    return await double(n)
"""

TEST = """
def test_main(flow_run, request):
    assert flow_run("flow.py:main", {"n": 2}, steps={"double": lambda n: 2 * n}).result == 4
"""


def test_the_fixture_runs_on_every_target(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(FLOW)
    (tmp_path / "test_flow.py").write_text(TEST)
    call = [sys.executable, "-m", "pytest", "-q", "-k", "reference or local", "-rA", "--no-header"]
    done = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "2 passed" in done.stdout, done.stdout
    assert targets()[:2] == ("reference", "local")
