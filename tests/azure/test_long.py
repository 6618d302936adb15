"""A run that lives long hands over at the head of a loop; nothing of it is lost."""

from pathlib import Path
from typing import Any

import pytest

from perdure.testing import Result, run
from perdure.trace import compare
from tests.azure.engines import ENGINES

pytest.importorskip("azure.durable_functions", reason="version 2 needs Python 3.13")

from perdure.frontend.loader import RefusedError
from perdure_azure.engine.compiled import compiled

FLOWS = Path(__file__).parent / "long.py"


def both(flow: str, n: int, engine: str = "memory", **script: Any) -> Result:
    expected = run(f"{FLOWS}:{flow}", {"n": n}, unscripted="run", **script)
    got = run(
        f"{FLOWS}:{flow}", {"n": n}, unscripted="run", target="azure", engine=engine, **script
    )
    assert compare(expected.whole_trace, got.whole_trace) == []
    assert [record.text for record in got.logs] == [record.text for record in expected.logs]
    return got


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("flow", ["counts", "ranges", "removes", "grows_items"])
def test_a_long_loop_goes_on_under_a_short_history(flow: str, engine: str) -> None:
    got = both(flow, 150, engine)
    assert got.status == "done"
    assert len(got.history) < 150


@pytest.mark.parametrize("n", [20, 99, 100])
def test_a_loop_in_an_if_hands_over_too(n: int) -> None:
    got = both("chosen", n)
    assert len(got.history) < 150


ENDLESS = """import itertools
from contextlib import suppress
from perdure import event, flow, race, sleep, step

@step
async def beat(n: int) -> int: ...

async def helper(n: int) -> None:
    HERE

@flow
async def main(n: int) -> str:
    winner, _ = await race(done=event("done"), beating=helper(n))
    return winner
"""


@pytest.mark.parametrize(
    ("loop", "refused"),
    [
        ("while True:\n        await beat(n)", True),
        ("while 1:\n        await beat(n)\n        for n in (1, 2):\n            break", True),
        ("for n in itertools.count():\n        await beat(n)", True),
        ("if n:\n        while True:\n            await sleep(n)", True),
        ("while n:\n        await beat(n)", False),
        ("while True:\n        n += 1", False),
        ("while True:\n        if await beat(n):\n            break", False),
        ("while True:\n        for n in (1, 2):\n            return await sleep(n)", False),
        ("while True:\n        await event('x', timeout='1d')", False),
        ("for n in range(9):\n        await beat(n)", False),
    ],
)
def test_a_loop_without_end_is_refused_where_no_run_hands_over(
    loop: str, refused: bool, tmp_path: Path
) -> None:
    file = tmp_path / "flows.py"
    file.write_text(ENDLESS.replace("HERE", loop))
    (tmp_path / "pyproject.toml").write_text("[tool.perdure]\n")
    if not refused:
        compiled(file, "main")
        return
    with pytest.raises(RefusedError) as error:
        compiled(file, "main")
    assert [each.rule.code for each in error.value.analysis.report.diagnostics] == ["PDR308"]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("every", [0, 10])
@pytest.mark.parametrize("cancel", [None, "5m"])
def test_events_come_through_a_hand_over(every: int, cancel: str | None, engine: str) -> None:
    events = [(f"{1 + number * every}s", "go", number) for number in range(70)]
    got = both("talks", 60, engine, events=events, cancel=cancel)
    assert len(got.history) < 120


@pytest.mark.slow
def test_a_loop_of_thirty_thousand_turns_comes_to_its_end() -> None:
    got = both("counts", 30_000)
    assert got.result == 30_000
