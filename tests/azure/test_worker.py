"""Microsoft's Python worker library indexes an emitted project, and runs all that it does."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from perdure.runtime.host import Identity
from perdure.testing import run

pytest.importorskip("azure_functions_runtime", reason="the worker library needs Python 3.13")

from perdure.codec import decode
from perdure.runtime.envelope import pack, unpack
from perdure_azure.engine.compiled import compiled
from perdure_azure.engine.sdk1 import folder as sdk1_folder
from tests.azure.engines import needs_sdk1
from tests.conformance.engines import ROOT

FLOW = Path(__file__).parent / "working.py"
NAMES = ["tent", "stove"]
STEPS = {f"working__{name}": ["activityTrigger"] for name in ("pack", "ship", "refuse")}
FLOWS = {f"working__{name}": ["orchestrationTrigger"] for name in ("deliver", "sub")}


@pytest.mark.parametrize("sdk", [1, 2])
def test_the_worker_indexes_and_runs_the_project(sdk: int, tmp_path: Path) -> None:
    packages = [path for path in sys.path if path.endswith("site-packages")]
    if sdk == 1:
        needs_sdk1()
        packages.insert(0, str(sdk1_folder()))
    source = tmp_path / "source"
    source.mkdir()
    (source / "pyproject.toml").write_text("[tool.perdure]\n")
    (source / "working.py").write_bytes(FLOW.read_bytes())
    app = tmp_path / "app"
    for path, content in compiled(source / "working.py", "deliver", sdk=sdk).files.items():
        (app / path).parent.mkdir(parents=True, exist_ok=True)
        (app / path).write_bytes(content.encode() if isinstance(content, str) else content)
    identity = Identity("run", "0" * 32, "run")._asdict()
    given: dict[str, Any] = {
        "flow": "working:deliver",
        **identity,
        "arguments": {"names": NAMES},
        "child": False,
    }
    host, text = Path(__file__).with_name("worker_host.py"), json.dumps(pack(given))
    # -S: the environment's own perdure is found through a .pth file, which is not read.
    call = [app, ROOT / "backends", sdk, "working__deliver", text, *packages]
    done = subprocess.run(
        [sys.executable, "-S", str(host), *map(str, call)],
        cwd=app,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    indexed, output, problem, runtime = json.loads(said[-1])
    assert Path(runtime).is_relative_to(app)
    assert {name: indexed[name] for name in indexed if "working" in name} == STEPS | FLOWS
    assert problem is None
    answer = unpack(json.loads(output))
    expected = run(f"{FLOW}:deliver", {"names": NAMES}, unscripted="run", events=[("1m", "go", 5)])
    assert decode(answer["value"]) == expected.result
    assert expected.result[-1] == "word"
