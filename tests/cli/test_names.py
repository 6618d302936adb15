"""Files whose name hides a module of the standard library are refused by name, everywhere."""

from pathlib import Path

import pytest

from perdure.testing import Refused, run
from tests.local.project import command

FLOW = """
from perdure import flow, step

@step
async def double(x: int) -> int:
    return x * 2

@flow
async def main(x: int = 1) -> int:
    return await double(x)
"""


@pytest.mark.parametrize("name", ["json", "asyncio", "random"])
def test_a_flow_file_that_hides_a_module_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / f"{name}.py").write_text(FLOW)
    said = f"`{name}.py` hides the module `{name}` of the standard library"
    for target in ("reference", "local", "aws", "azure"):
        with pytest.raises(Refused) as refused:
            run(f"{tmp_path / name}.py:main", {"x": 1}, target=target, unscripted="run")
        assert said in str(refused.value), target
    for words in (["check"], ["compile", "-t", "aws"]):
        out = command(tmp_path.parent, *words, f"{tmp_path.name}/{name}.py", code=1)
        assert said in out
        assert out.count("PDR108") == 1


def test_a_file_of_that_name_in_a_package_hides_nothing(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "json.py").write_text(FLOW)
    assert command(tmp_path, "check", "flows/json.py") == ""
    assert run(f"{tmp_path}/flows/json.py:main", {"x": 2}, unscripted="run").result == 4
