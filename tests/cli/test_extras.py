"""What needs an extra that is not installed says which one."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from perdure.testing import run

FLOW = "from perdure import flow\n\n@flow\nasync def f() -> int:\n    return 1\n"
WITHOUT = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("moto", "sfnx", "jlens", "durabletask", "azure"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Hidden())
from perdure.testing import run
try:
    run("app.py:f", target=sys.argv[1])
except ModuleNotFoundError as error:
    print(error)
"""


@pytest.mark.parametrize("target", ["aws", "azure"])
def test_an_engine_that_is_not_installed_names_its_extra(target: str, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(FLOW)
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, target],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    if target == "azure" and sys.version_info < (3, 13):
        assert "is tested under Python 3.13 or later" in done.stdout
        return
    assert f"the engines of target '{target}' are not installed" in done.stdout
    assert f"pip install 'perdure[{target}-test]'" in done.stdout


def test_an_older_python_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "app.py").write_text(FLOW)
    monkeypatch.setattr("perdure_azure.engine.OLDEST_PYTHON", (3, 99))
    with pytest.raises(ModuleNotFoundError, match=r"under Python 3\.99 or later, this is 3\.\d+"):
        run(f"{tmp_path}/app.py:f", target="azure")


def test_the_extra_for_azure_has_the_sdk_where_it_can_be_installed() -> None:
    root = Path(__file__).parents[2]
    extras = tomllib.loads((root / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    (sdk,) = [one for one in extras["azure-test"] if one.startswith("azure-functions-durable")]
    assert sdk.endswith("; python_version >= '3.13'")
