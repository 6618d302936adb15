"""A long run goes through several executions, and nobody who looks at the run can tell."""

from pathlib import Path
from textwrap import indent
from typing import Any

import pytest

from perdure.testing import Result, after, run
from perdure.trace import compare
from perdure_gcp import generations
from perdure_gcp.workflows import Entry
from perdure_gcp.workflows.limits import value_of
from tests.conformance.engines import CASES, ROOT, outcome, runs_on

LOOPS = [name for name, case in CASES.items() if "loop" in case.kinds]
SEEDS = (0, 1)

HEAD = """
from perdure import event, flow, gather, race, sleep, step
@step
async def count(n: int) -> int: ...
"""


def ran(folder: Path, source: str, target: str = "gcp", **more: Any) -> Result:
    """A run of `main`; each step takes its time (`takes`), and gives what it is given."""
    file = folder / "flow_to_run.py"
    file.write_text(HEAD + source)
    (folder / "pyproject.toml").write_text("[tool.perdure]\n")
    takes = more.pop("takes", 0)

    def count(n: int) -> object:
        return after(takes, n)

    arguments = more.pop("arguments", {})
    return run(f"{file}:main", arguments, target=target, steps={"count": count}, **more)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", LOOPS)
def test_every_loop_hands_over_at_every_turn(
    name: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = CASES[name]
    if not runs_on(case, "gcp/workflows"):
        pytest.skip("no engine for it")
    monkeypatch.setattr(generations, "STEPS", 15)
    got = run(
        str(ROOT / case.flow),
        dict(case.arguments),
        target="gcp",
        steps=dict(case.steps),
        unscripted=case.unscripted,
        events=list(case.events),
        cancel=case.cancel,
        seed=seed,
    )
    assert compare(outcome(name, "reference").whole_trace, got.whole_trace) == []


def same(
    folder: Path, source: str, monkeypatch: pytest.MonkeyPatch, steps: int = 200, **more: Any
) -> Result:
    """The result of a run through many executions, which has the trace of the reference."""
    expected = ran(folder, source, "reference", **more)
    monkeypatch.setattr(generations, "STEPS", steps)
    got = ran(folder, source, **more)
    assert compare(expected.whole_trace, got.whole_trace) == []
    return got


def entries(result: Result) -> list[Entry]:
    return [entry for entry in result.history if isinstance(entry, Entry)]


def begun(result: Result) -> int:
    """How many executions the run went through."""
    return sum(entry.routine == "main" and entry.step == "which" for entry in entries(result))


TURNS = """
@flow
async def main(times: int) -> int:
    total = 0
    for n in range(times):
        total += await count(n)
    return total
"""


@pytest.mark.parametrize("times", [3_200, pytest.param(30_000, marks=pytest.mark.slow)])
def test_a_loop_makes_more_steps_than_an_execution_has(tmp_path: Path, times: int) -> None:
    got = ran(tmp_path, TURNS, arguments={"times": times})
    assert got.result == times * (times - 1) // 2
    assert begun(got) == times // 3_125 + 1
    assert got.transitions is not None
    assert got.transitions > times * 6


@pytest.mark.slow
def test_what_the_engine_would_not_have_run_in_one_execution(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generations, "STEPS", 10**9)
    got = ran(tmp_path, TURNS, arguments={"times": 17_000})
    assert "100,000 steps" in str(got.error)


def test_events_that_came_before_are_taken_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = """
@flow
async def main() -> list[object]:
    seen = []
    await count(0)
    while len(seen) < 20:
        seen.append(await event("told"))
        await sleep("1h")
    return seen
"""
    events = [("1m", "told", n) for n in range(20)]
    got = same(tmp_path, source, monkeypatch, events=events)
    assert got.result[:3] == [0, 1, 2]
    assert begun(got) > 2


def test_branches_and_children_lie_on_both_sides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = """
@flow
async def inner(n: int) -> int:
    return await count(n) + 1
async def one(n: int) -> int:
    return await count(n) + await inner(n)
@flow
async def main() -> object:
    last, total = None, 0
    for n in range(6):
        last = await race(a=count(n), b=sleep(5), c=event("told"))
        total += sum(await gather(one(n), one(n + 1), count(1)))
    return last, total
"""
    got = same(tmp_path, source, monkeypatch)
    assert got.result == (("a", 5), 90)
    assert begun(got) > 2


def test_what_branches_do_counts_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = """
async def one(n: int) -> int:
    for k in range(n):
        await count(k)
    return n
@flow
async def main() -> int:
    total = 0
    for n in range(3):
        total += sum(await gather(one(10), one(10)))
    return total
"""
    got = same(tmp_path, source, monkeypatch, steps=300)
    assert got.result == 60
    assert begun(got) == 4


@pytest.mark.parametrize("when", ["5s", "90m", "30h"])
@pytest.mark.parametrize("guarded", [True, False])
def test_a_cancel_reaches_the_execution_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str, guarded: bool
) -> None:
    plain = "for n in range(60):\n    await count(n)\n    await sleep('1h')"
    finally_ = f"try:\n{indent(plain, '    ')}\nfinally:\n    await count(-1)"
    body = indent(finally_ if guarded else plain, "    ")
    source = f"@flow\nasync def main() -> None:\n{body}\n"
    got = same(tmp_path, source, monkeypatch, cancel=when, takes="10s")
    assert got.status == "cancelled"


def test_a_failure_after_a_hand_over_is_the_run_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = """
@flow
async def main() -> None:
    for n in range(60):
        await count(n)
        if n == 50:
            raise KeyError(n)
"""
    got = same(tmp_path, source, monkeypatch)
    assert isinstance(got.error, KeyError)
    assert begun(got) > 2


def test_a_run_may_last_longer_than_an_execution(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = """
@flow
async def main() -> int:
    for n in range(10):
        await sleep("200d")
        await count(n)
    return n
"""
    got = same(tmp_path, source, monkeypatch, steps=generations.STEPS)
    assert got.result == 9
    first, *_, last = entries(got)
    assert last.time - first.time > 5 * value_of("execution_seconds")


def test_names_of_steps_do_not_meet_those_of_the_hand_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = """
@step
async def resume(n: int) -> int:
    return n
@step
async def which(n: int) -> int:
    return n
@flow
async def main() -> int:
    for n in range(60):
        await resume(n)
        await resume(n)
        await which(n)
        await count(n)
    return n
"""
    got = same(tmp_path, source, monkeypatch, unscripted="run")
    assert got.result == 59
