"""The public language outside a run: plain Python, plain asyncio."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

import perdure
from perdure import (
    Fatal,
    Retry,
    RetryAfter,
    event,
    flow,
    gather,
    progress,
    quorum,
    race,
    reply,
    sleep,
    step,
    this_run,
    this_step,
)
from perdure.durations import due, seconds_of
from perdure.runtime import calls as p
from perdure.runtime.retries import delay_before_next
from tests.runtime.harness import at


@step
async def double(n: int) -> int:
    return n * 2


@step(retry=3, timeout="30s", name="upper-case", group="text")
def upper(text: str) -> str:
    return text.upper()


@flow
async def both(n: int) -> list[int]:
    return list(await gather(double(n), double(n + 1)))


fetch = step("".join)


def test_steps_and_flows_are_plain_functions_under_asyncio() -> None:
    async def main() -> list[object]:
        return [await double(2), await upper("a"), await both(1)]

    assert asyncio.run(main()) == [4, "A", [2, 4]]


def test_a_step_knows_its_policy_name_and_reference() -> None:
    assert (upper.name, upper.group, upper.timeout) == ("upper-case", "text", 30.0)
    assert upper.retry == Retry(attempts=3)
    assert (double.name, double.timeout, double.retry) == ("double", 600.0, None)
    assert double.__perdure_ref__ == f"{__name__}:double"
    assert fetch.__perdure_ref__ == f"{__name__}:fetch"
    assert fetch.name == "fetch"
    longer = double.options(timeout="5m", retry=2)
    assert (longer.timeout, longer.retry) == (300.0, Retry(attempts=2))
    assert longer.__perdure_ref__ == double.__perdure_ref__
    assert double.timeout == 600.0


def test_gather_race_quorum_and_sleep_work_plainly() -> None:
    async def late(value: int, seconds: float = 0.01) -> int:
        await asyncio.sleep(seconds)
        if value < 0:
            raise ValueError(value)
        return value

    async def main() -> list[object]:
        await sleep("1ms")
        await sleep(until=datetime(2000, 1, 1, tzinfo=UTC))
        await progress({"at": 1})
        return [
            await gather(late(1), late(2), limit=1),
            await gather(late(1), late(-2), return_exceptions=True),
            await race(a=late(1, 5), b=late(2)),
            await quorum(2, late(1, 0.03), late(-1), late(3), late(4, 5)),
        ]

    gathered, with_error, won, two = asyncio.run(main())
    assert (gathered, won, two) == ([1, 2], ("b", 2), [(2, 3), (0, 1)])
    assert repr(with_error) == "[1, ValueError(-2)]"


def test_a_plain_gather_lets_every_branch_end_before_it_raises() -> None:
    ended: list[int] = []

    async def branch(n: int) -> None:
        await asyncio.sleep(0.001 * (3 - n))
        ended.append(n)
        if n:
            raise ValueError(n)

    async def main() -> None:
        await gather(branch(0), branch(1), branch(2))

    with pytest.raises(ValueError, match="1"):
        asyncio.run(main())
    assert sorted(ended) == [0, 1, 2]


@pytest.mark.parametrize("operation", [lambda: event("x"), lambda: reply("x", 1)])
def test_what_needs_an_engine_says_what_to_use(
    operation: Callable[[], Coroutine[object, object, object]],
) -> None:
    with pytest.raises(RuntimeError, match="perdure run"):
        asyncio.run(operation())
    with pytest.raises(RuntimeError):
        this_step()
    with pytest.raises(RuntimeError):
        this_run()


def test_instrumented_code_outside_a_run_is_plain() -> None:
    async def main() -> list[object]:
        async with p.timeout(at("timeout"), 5), p.task_group(at("group")) as group:
            task = group.create_task(double(4))
        return [
            await p.call(at("double"), partial(double, 1)),
            await p.gather(at("gather"), double(1), double(2)),
            await p.race(at("race"), a=double(1)),
            await p.wait_for(at("timeout"), double(3), 5),
            await p.sleep(at("sleep"), 0, "slept"),
            task.result(),
            p.rng().choice([7]),
            p.now(UTC).tzinfo,
        ]

    expected = [2, [2, 4], ("a", 2), 6, "slept", 8, 7, UTC]
    assert asyncio.run(main()) == expected


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [
        ("90s", 90),
        ("1h30m", 5400),
        ("1.5d", 129600),
        ("250ms", 0.25),
        ("2m5s250ms", 125.25),
        (3, 3),
        (0.5, 0.5),
        (timedelta(minutes=2), 120),
        ("0s", 0),
    ],
)
def test_durations(duration: object, seconds: float) -> None:
    assert seconds_of(duration) == seconds


@pytest.mark.parametrize(
    "wrong", ["", "soon", "5", "5 s", "-5s", "1h1h", "s", "1e3s", True, None, [1], float("nan")]
)
def test_what_is_no_duration_is_a_value_error(wrong: object) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        seconds_of(wrong)


def test_due_times_are_rounded_up_to_whole_seconds() -> None:
    assert [due(100.0, s) for s in (0, -1, 0.25, 1, 1.5)] == [100, 100, 101, 101, 102]
    assert due(100.3, 0.7) == 101


def test_retry_arithmetic() -> None:
    policy = Retry(attempts=4, delay="1s", backoff=3, max_delay="5s", jitter=False)
    error = ValueError()
    assert [delay_before_next(policy, error, n) for n in (1, 2, 3, 4)] == [1, 3, 5, None]
    assert delay_before_next(None, error, 1) is None
    assert delay_before_next(Retry(), error, 1, jitter=0.25) == 0.25
    assert delay_before_next(Retry(attempts=None), error, 100_000) == 60
    assert delay_before_next(Retry(on=[KeyError]), error, 1) is None
    assert delay_before_next(Retry(on=[LookupError]), KeyError(), 1) == 1
    assert delay_before_next(Retry(not_on=[LookupError]), KeyError(), 1) is None
    assert delay_before_next(Retry(), Fatal(), 1) is None
    assert delay_before_next(Retry(max_delay=1), RetryAfter("2m"), 1) == 120
    assert delay_before_next(Retry(), asyncio.CancelledError(), 1) is None


def test_a_retry_is_a_frozen_value() -> None:
    assert Retry(3) == Retry(attempts=3, delay="1s")
    assert hash(Retry(3)) == hash(Retry(3))
    with pytest.raises(AttributeError, match="frozen"):
        Retry().attempts = 5
    with pytest.raises(ValueError, match="at least 1"):
        Retry(attempts=0)


def test_no_module_of_the_package_hides_a_public_name() -> None:
    package = Path(perdure.__file__).parent
    modules = {path.stem for path in package.glob("*.py")} | {
        path.name for path in package.iterdir()
    }
    assert not modules & set(perdure.__all__)
    assert "flow" in dir(perdure)
    with pytest.raises(AttributeError, match="no attribute 'flwo'"):
        getattr(perdure, "flwo")  # noqa: B009  # checkers know that it is not there
