"""What steps report to have spent: added up over attempts, the same on every engine."""

from pathlib import Path

import pytest

from perdure import this_step
from perdure.operations import ThisStep
from perdure.runtime.usage import Usage, added, spent_here, usage_from, usage_json
from perdure.testing import run
from perdure.trace import compare, from_json, to_json

TARGETS = ("reference", "local", "aws", "azure")

FLOW = """
import asyncio
from perdure import Retry, flow, gather, step, this_step

@step(retry=Retry(3, delay=1))
async def ask(question: str) -> str:
    this = this_step()
    this.usage(input_tokens=100, output_tokens=10, cost=0.25, model="big")
    if this.attempt == 1:
        raise ValueError("overloaded")
    this.usage(input_tokens=7, model="small")
    return question

@step
def look(n: int) -> int:
    this_step().usage(cost=n)
    return n

@step(timeout=0.05)
async def slow() -> None:
    this_step().usage(output_tokens=5)
    await asyncio.sleep(60)

@step
async def free() -> int:
    return 1

@flow
async def inner() -> int:
    return await look(3)

@flow
async def spend() -> list[object]:
    answer = await ask("why")
    looked = await gather(look(1), look(2))
    try:
        await slow()
    except TimeoutError:
        looked.append(await inner())
    return [answer, looked, await free()]
"""

SPENT = {
    "ask": (Usage("big", 200, 20, 0.5), Usage("small", 7, 0, 0.0)),
    "gather[0]/look": (Usage(None, 0, 0, 1.0),),
    "gather[1]/look.2": (Usage(None, 0, 0, 2.0),),
    "slow": (Usage(None, 0, 5, 0.0),),
    "inner/look": (Usage(None, 0, 0, 3.0),),
}


@pytest.mark.parametrize("target", TARGETS)
def test_every_attempt_counts_on_every_engine(target: str, tmp_path: Path) -> None:
    (tmp_path / "spends.py").write_text(FLOW)
    r = run(f"{tmp_path / 'spends.py'}:spend", target=target, unscripted="run")
    assert r.status == "done", r.error
    assert r.usage == SPENT


def test_it_is_no_part_of_equality_and_travels_with_the_trace(tmp_path: Path) -> None:
    (tmp_path / "spends.py").write_text(FLOW)
    whole = run(f"{tmp_path / 'spends.py'}:spend", unscripted="run").whole_trace
    assert from_json(to_json(whole)) == whole
    poorer = whole._replace(entries=tuple(e._replace(usage=()) for e in whole.entries))
    assert compare(whole, poorer) == []


def test_sums_keep_the_order_of_the_models() -> None:
    one, two = Usage("a", 1, 2, 0.5), Usage(None, 3)
    assert added([one, two, one]) == (Usage("a", 2, 4, 1.0), two)
    assert usage_from(usage_json([one, two])) == (one, two)
    assert usage_from(None) == ()


@pytest.mark.parametrize(
    ("reported", "kind", "text"),
    [
        ({"input_tokens": -1}, ValueError, "counted from 0"),
        ({"output_tokens": 1.5}, TypeError, "a number of tokens"),
        ({"output_tokens": True}, TypeError, "a number of tokens"),
        ({"cost": float("nan")}, ValueError, "0 or more"),
        ({"cost": "1"}, TypeError, "cost is a number"),
        ({"model": 3}, TypeError, "model is a name"),
    ],
)
def test_what_is_no_report_is_refused(
    reported: dict[str, object], kind: type[Exception], text: str
) -> None:
    from datetime import UTC, datetime

    this = ThisStep("key", 1, datetime.now(UTC), "run")
    token = spent_here.set([])
    try:
        with pytest.raises(kind, match=text):
            this.usage(**reported)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    finally:
        spent_here.reset(token)


def test_outside_a_step_there_is_nothing_to_report_to() -> None:
    from datetime import UTC, datetime

    with pytest.raises(RuntimeError, match="body of a step"):
        ThisStep("key", 1, datetime.now(UTC), "run").usage(cost=1)
    with pytest.raises(RuntimeError, match="body of a step"):
        this_step()
