"""A script with a flow in it starts runs of that flow: `python agent.py`."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import asyncio
from dataclasses import dataclass
from perdure import event, flow, step

@dataclass
class Order:
    id: str
    count: int = 1

@step
async def double(order: Order) -> Order:
    return Order(order.id, order.count * 2)

@flow
async def main(order: Order) -> Order:
    more = await event("more", Order)
    return await double(Order(order.id + more.id, order.count))

async def start() -> None:
    handle = await main.start(Order("a", 3))
    await handle.send("more", Order("b"))
    result = await handle.result()
    print(type(result) is Order, result)
"""
GUARD = """
if __name__ == "__main__":
    asyncio.run(start())
"""


def _python(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("call", [["agents/main.py"], ["-m", "agents.main"]])
@pytest.mark.parametrize("pinned", [True, False])
def test_a_script_starts_its_own_flow(call: list[str], pinned: bool, tmp_path: Path) -> None:
    if pinned:
        running = f"{sys.version_info.major}.{sys.version_info.minor}"
        (tmp_path / "pyproject.toml").write_text(f'[tool.perdure]\npython = "{running}"\n')
    else:
        (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "main.py").write_text(SCRIPT + GUARD)
    done = _python(tmp_path, *call)
    assert done.stdout == "True Order(id='ab', count=6)\n", done.stderr
    shown = _python(tmp_path, "-m", "perdure", "show")
    assert "agents.main:main  completed" in shown.stdout


def test_a_script_that_works_when_it_is_imported_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "agent.py").write_text(SCRIPT + "asyncio.run(start())\n")
    done = _python(tmp_path, "agent.py")
    assert done.returncode == 1
    assert 'put what the script does under `if __name__ == "__main__":`' in done.stderr
    assert not (tmp_path / ".perdure").exists()
