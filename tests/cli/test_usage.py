"""`perdure show` says what steps spent: with the operation, and as totals of the run."""

import json
import subprocess
import sys
from pathlib import Path

FLOW = """
from perdure import flow, gather, step, this_step

@step(retry=2)
async def ask(n: int) -> int:
    this_step().usage(input_tokens=1000 * n, output_tokens=30, cost=0.125, model="big")
    if this_step().attempt == 1:
        raise ValueError("busy")
    return n

@step
def free() -> int:
    return 1

@flow
async def child() -> int:
    return await ask(2)

@flow
async def spend() -> int:
    return await ask.options(retry=None)(1) if await free() > 1 else await child()
"""


def perdure(folder: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "perdure", *words],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_tree_shows_tokens_and_cost_with_totals(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(FLOW)
    perdure(tmp_path, "run", "app.py:spend")
    tree = perdure(tmp_path, "show")
    (asked,) = (line for line in tree.splitlines() if "ask(" in line)
    assert "2 attempts" in asked
    assert "big: 4,000 + 60 tokens, cost 0.25" in asked
    (free,) = (line for line in tree.splitlines() if "free(" in line)
    assert "tokens" not in free
    assert "\n  usage     big: 4,000 + 60 tokens, cost 0.25\n" in tree
    told = json.loads(perdure(tmp_path, "show", "--json"))
    sums = [{"model": "big", "input_tokens": 4000, "output_tokens": 60, "cost": 0.25}]
    assert told["usage"] == sums
    assert [operation["usage"] for operation in told["operations"]] == [[], []]
    (called,) = (op for op in told["operations"] if op["kind"] == "flow")
    assert called["children"][0]["operations"][0]["usage"] == sums
