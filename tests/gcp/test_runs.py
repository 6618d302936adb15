"""Runs of what is emitted, under many seeds: interleavings, lost rings, ties, large values."""

from collections.abc import Callable
from pathlib import Path

import pytest

from perdure.testing import Result, after, run
from perdure.trace import compare
from tests.conformance.engines import CASES, outcome

SEEDS = (1, 2, 3)
SAMPLE = ("triage-approved", "saga-cancelled", "research-two-drafts", "sf-10", "ad-04", "re-09")


@pytest.mark.parametrize("case", SAMPLE)
@pytest.mark.parametrize("seed", SEEDS)
def test_any_interleaving_and_any_lost_ring_gives_the_trace(case: str, seed: int) -> None:
    reference = outcome(case, "reference")
    assert not compare(reference.whole_trace, outcome(case, "gcp/workflows", seed).whole_trace)


@pytest.mark.slow
@pytest.mark.parametrize("case", sorted(CASES))
@pytest.mark.parametrize("seed", range(4, 12))
def test_every_case_under_more_seeds(case: str, seed: int) -> None:
    reference = outcome(case, "reference")
    assert not compare(reference.whole_trace, outcome(case, "gcp/workflows", seed).whole_trace)


HEAD = """
import asyncio
from perdure import event, flow, gather, quorum, race, sleep, step
@step
async def work(n: int) -> int: ...
@step
async def large(n: int) -> str: ...
"""


type Events = tuple[tuple[str, str, object], ...]


def _work(n: int) -> object:
    return after(n, n)


def _large(n: int) -> str:
    return "x" * n


def ran(folder: Path, source: str, events: Events, target: str = "gcp", seed: int = 0) -> Result:
    file = folder / "flow_to_run.py"
    file.write_text(HEAD + source)
    (folder / "pyproject.toml").write_text("[tool.perdure]\n")
    scripts: dict[str, Callable[[int], object]] = {"work": _work, "large": _large}
    steps = {name: script for name, script in scripts.items() if f"{name}(" in source}
    return run(f"{file}:main", target=target, seed=seed, steps=steps, events=events)


def same(folder: Path, source: str, events: Events = ()) -> Result:
    """The result, which is the reference's under every seed."""
    reference = ran(folder, source, events, "reference")
    results = [ran(folder, source, events, seed=seed) for seed in SEEDS]
    for result in results:
        assert not compare(reference.whole_trace, result.whole_trace), result.error
    return results[0]


def test_a_value_larger_than_the_variables_of_an_execution(tmp_path: Path) -> None:
    source = """
@flow
async def main() -> int:
    texts = [await large(300_000), await large(300_000), await large(300_000)]
    await work(1)
    return sum(map(len, texts))
"""
    assert same(tmp_path, source).result == 900_000


def test_many_branches_that_wait_are_all_there_at_once(tmp_path: Path) -> None:
    source = """
async def one(n: int) -> int:
    await sleep(100 - n)
    return n
@flow
async def main() -> int:
    return sum(await gather(*[one(n) for n in range(45)]))
"""
    result = same(tmp_path, source)
    assert result.result == sum(range(45))


def test_branches_of_steps_queue_behind_twenty(tmp_path: Path) -> None:
    source = """
@flow
async def main() -> list[int]:
    return await gather(*[work(n % 3) for n in range(30)])
"""
    assert same(tmp_path, source).result == [n % 3 for n in range(30)]


def test_forks_may_lie_deeper_than_parallel_steps(tmp_path: Path) -> None:
    source = """
async def deep(n: int) -> int:
    return sum(await gather(work(n), work(1)))
async def deeper(n: int) -> int:
    return sum(await gather(deep(n), deep(2)))
async def deepest(n: int) -> int:
    return sum(await gather(deeper(n), deeper(3)))
@flow
async def main() -> int:
    return sum(await gather(deepest(1), deepest(4)))
"""
    assert same(tmp_path, source).status == "done"


def test_the_loser_of_a_race_gives_back_what_it_took(tmp_path: Path) -> None:
    source = """
async def two() -> str:
    await event("first")
    return await event("second")
@flow
async def main() -> object:
    winner, _ = await race(slow=two(), quick=work(5))
    return winner, await event("first"), await event("second")
"""
    events = (("2s", "first", "a"), ("4s", "first", "b"), ("9s", "second", "c"))
    result = same(tmp_path, source, events=events)
    assert result.result == ("quick", "b", "c")


def test_ties_go_to_the_lower_index(tmp_path: Path) -> None:
    source = """
@flow
async def main() -> object:
    first = await race(a=work(3), b=work(3), c=sleep(3))
    return first, await quorum(2, *[work(2) for _ in range(4)])
"""
    assert same(tmp_path, source).result == (("a", 3), [(0, 2), (1, 2)])


def test_a_long_wait_costs_few_steps(tmp_path: Path) -> None:
    source = """
@flow
async def main() -> str:
    return await event("late", timeout="300d")
"""
    result = same(tmp_path, source, events=(("200d", "late", "at last"),))
    assert result.result == "at last"
    assert result.transitions is not None
    assert result.transitions < 20_000


def test_a_scope_may_have_forks_of_both_kinds(tmp_path: Path) -> None:
    source = """
@flow
async def main() -> object:
    return await race(a=work(2), b=sleep(3)), await gather(work(1), work(2))
"""
    assert same(tmp_path, source).result == (("a", 2), [1, 2])


@pytest.mark.parametrize("count", [50, 51, 52, 130])
def test_a_decision_with_more_ways_than_a_switch_has_conditions(tmp_path: Path, count: int) -> None:
    cases = "".join(
        f"        case {n}:\n            return await work(n + {n})\n" for n in range(count)
    )
    text = f"{HEAD}\n@flow\nasync def main(n: int) -> int:\n    match n:\n{cases}    return -1\n"
    (tmp_path / "flows.py").write_text(text)

    def work(n: int) -> int:
        return n

    for n in (0, 49, 50, count - 1, count):
        file = str(tmp_path / "flows.py")
        result = run(file, {"n": n}, target="gcp", steps={"work": work})
        assert result.result == (2 * n if n < count else -1)
