"""The reference: operations, forks, ties, deadlines and groups."""

# Scripts are lambdas, whose parameters no checker can know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from perdure import flow, step
from perdure.runtime import calls as p
from perdure.testing import after
from perdure.testing.request import START
from tests.runtime.harness import at, paths, run

SEEDS = [0, 1, 2, 3]


@step
async def work(n: int, extra: str = "x") -> int: ...


@step
async def other(n: int) -> int: ...


@dataclass
class Decision:
    approved: bool


def call(n: int, label: str = "work") -> Any:
    return p.call(at(label), work, n)


def test_a_step_gets_arguments_by_name_with_defaults_and_the_trace_says_so() -> None:
    @flow
    async def main(n: int) -> Any:
        return await call(n) + await call(n + 1)

    r = run(main, {"n": 3}, steps={"work": lambda n, extra: n * len(extra)})
    assert (r.status, r.result) == ("done", 7)
    assert paths(r) == ["work", "work#2"]
    assert r.trace[0].arguments == {"n": 3, "extra": "x"}
    assert r.trace[0].outcome == {"value": 3}
    assert r.trace[0].kind == "step"


def test_values_cross_by_value() -> None:
    @step
    async def grow(items: list[int]) -> list[int]: ...

    @flow
    async def main() -> object:
        items = [1]
        got = await p.call(at("grow"), grow, items)
        return [items, got, got is items]

    def script(items: list[int]) -> list[int]:
        items.append(2)
        return items

    assert run(main, steps={"grow": script}).result == [[1], [1, 2], False]


def test_a_value_without_codec_raises_type_error_at_the_operation() -> None:
    @step
    async def take(value: object) -> None: ...

    @flow
    async def main() -> str:
        try:
            await p.call(at("take"), take, (i for i in range(3)))
        except TypeError as error:
            return str(error)
        return "crossed"

    r = run(main, steps={"take": lambda value: None})
    assert "generator" in r.result


def test_a_coroutine_value_is_consumed_once() -> None:
    @flow
    async def main() -> str:
        value = call(1)
        await value
        try:
            await value
        except RuntimeError as error:
            return str(error)
        return "twice"

    r = run(main, steps={"work": [1]})
    assert r.result == "cannot reuse already awaited coroutine"


def test_a_wrong_call_raises_what_python_raises() -> None:
    @flow
    async def main() -> str:
        try:
            await p.call(at("work"), work)
        except TypeError as error:
            return str(error)
        return "called"

    assert run(main, steps={}).result == "work() missing 1 required positional argument: 'n'"


@pytest.mark.parametrize("seed", SEEDS)
def test_gather_lets_every_branch_end_and_raises_the_first_error_in_argument_order(
    seed: int,
) -> None:
    @flow
    async def main() -> str:
        try:
            await p.gather(at("gather"), call(0), call(1), call(2), call(3))
        except ValueError as error:
            return str(error)
        return "fine"

    def script(n: int) -> object:
        return after(10 - n, ValueError(f"no {n}") if n in (1, 2) else n)

    r = run(main, steps={"work": script}, seed=seed)
    assert r.result == "no 1"
    assert sorted(paths(r)) == [f"gather[{i}]/work" for i in range(4)]


def test_gather_of_the_same_coroutine_runs_it_once() -> None:
    @flow
    async def main() -> list[int]:
        one = call(1)
        return await p.gather(at("gather"), one, one)

    assert run(main, steps={"work": [7]}).result == [7, 7]


def test_gather_with_limit_starts_in_order() -> None:
    @flow
    async def main() -> list[int]:
        return await p.gather(at("gather"), *[call(n) for n in range(5)], limit=2)

    r = run(main, steps={"work": lambda n: after(10, n)})
    assert r.result == [0, 1, 2, 3, 4]
    assert [e.time - START for e in r.trace] == [10, 10, 20, 20, 30]


@pytest.mark.parametrize("limit", [0, -1])
def test_gather_with_no_limit_to_speak_of_is_an_error(limit: int) -> None:
    @flow
    async def main() -> None:
        await p.gather(at("gather"), call(1), limit=limit)

    assert type(run(main).error) is ValueError


def test_fail_fast_cancels_the_rest() -> None:
    @flow
    async def main() -> str:
        try:
            await p.gather(at("gather"), call(0), call(1), call(2), fail_fast=True)
        except ValueError as error:
            return str(error)
        return "fine"

    def script(n: int) -> object:
        return after(10 * (3 - n), ValueError(n)) if n == 1 else after(10 * (3 - n), n)

    r = run(main, steps={"work": script})
    assert r.result == "1"
    outcomes = {e.path: e.outcome for e in r.trace}
    assert outcomes["gather[0]/work"] == "cancelled"
    assert outcomes["gather[2]/work"] == {"value": 2}


def test_return_exceptions_returns_them() -> None:
    @flow
    async def main() -> list[str]:
        values = await p.gather(at("gather"), call(0), call(1), return_exceptions=True)
        return [repr(value) for value in values]

    def script(n: int) -> object:
        return KeyError("k") if n else 5

    assert run(main, steps={"work": script}).result == ["5", "KeyError('k')"]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_tie_goes_to_the_lower_index(seed: int) -> None:
    @flow
    async def main() -> object:
        async def slow() -> str:
            await p.sleep(at("slow.sleep"), 1)
            await p.sleep(at("slow.sleep.2"), 1)
            return "slow"

        return await p.race(at("race"), a=slow(), b=p.sleep(at("sleep"), 2), c=p.sleep(at("s"), 2))

    r = run(main, seed=seed)
    assert r.result == ("a", "slow")


@pytest.mark.parametrize("seed", SEEDS)
def test_nested_races_settle_from_the_inside_out(seed: int) -> None:
    @flow
    async def main() -> object:
        inner = p.race(at("race"), x=p.sleep(at("sleep"), 5), y=p.sleep(at("sleep"), 5))
        outer = await p.race(at("race"), a=inner, b=p.sleep(at("sleep"), 5))
        return outer

    r = run(main, seed=seed)
    assert r.result == ("a", ("x", None))


def test_a_race_is_decided_by_an_error_too_and_cancels_the_rest() -> None:
    @flow
    async def main() -> str:
        try:
            await p.race(at("race"), a=call(1), b=p.sleep(at("sleep"), "1d"))
        except ValueError as error:
            return str(error)
        return "no"

    r = run(main, steps={"work": [ValueError("lost")]})
    assert r.result == "lost"
    assert {e.path: e.outcome for e in r.trace}["race[b]/sleep"] == "cancelled"


def test_race_of_nothing_is_a_value_error() -> None:
    @flow
    async def main() -> None:
        await p.race(at("race"))

    assert type(run(main).error) is ValueError


def test_due_times_are_whole_seconds() -> None:
    @flow
    async def main() -> object:
        await p.sleep(at("sleep"), "250ms")
        first = p.time()
        await p.sleep(at("sleep"), 1.5)
        await p.sleep(at("sleep"), 0)
        return [first, p.time()]

    assert run(main).result == [START + 1, START + 3]


def test_quorum_returns_the_first_to_succeed_in_order_of_ending() -> None:
    @flow
    async def main() -> object:
        return await p.quorum(at("quorum"), 2, call(0), call(1), call(2), call(3))

    times = {0: 30, 1: 10, 2: 20, 3: 5}

    def script(n: int) -> object:
        return after(times[n], ValueError() if n == 3 else n * 10)

    r = run(main, steps={"work": script})
    assert r.result == [(1, 10), (2, 20)]
    assert {e.path: e.outcome for e in r.trace}["quorum[0]/work"] == "cancelled"


def test_a_quorum_out_of_reach_is_a_group() -> None:
    @flow
    async def main() -> object:
        try:
            await p.quorum(at("quorum"), 2, call(0), call(1), call(2))
        except ExceptionGroup as group:
            return [str(error) for error in group.exceptions]
        return None

    def script(n: int) -> object:
        return ValueError(n) if n != 1 else after(100, 1)

    r = run(main, steps={"work": script})
    assert r.result == ["0", "2"]


def test_a_timeout_lets_handlers_and_finally_run_and_then_becomes_timeout_error() -> None:
    @flow
    async def main() -> object:
        seen: list[str] = []
        try:
            async with p.timeout(at("timeout"), 5):
                try:
                    await call(1)
                except asyncio.CancelledError as error:
                    seen.append(f"cancelled {error.args}")
                    raise
                finally:
                    await p.call(at("other"), other, 2)
                    seen.append("cleaned")
        except TimeoutError as error:
            seen.append(repr(error))
        return seen

    r = run(main, steps={"work": [after(60, 1)], "other": [after(60, 2)]})
    assert r.result == ["cancelled ()", "cleaned", "TimeoutError()"]
    assert [(e.path, e.outcome) for e in r.trace] == [
        ("work", "cancelled"),
        ("other", {"value": 2}),
    ]


def test_what_ends_at_the_deadline_is_in_time() -> None:
    @flow
    async def main() -> object:
        async with p.timeout(at("timeout"), 5) as deadline:
            await p.sleep(at("sleep"), 5)
        return deadline.expired()

    assert run(main).result is False


def test_of_two_deadlines_at_one_instant_the_inner_goes_first() -> None:
    @flow
    async def main() -> object:
        seen: list[str] = []
        try:
            async with p.timeout(at("timeout"), 5):
                try:
                    async with p.timeout(at("timeout.2"), 5):
                        await call(1)
                except TimeoutError:
                    seen.append("inner")
                await call(2)
        except TimeoutError:
            seen.append("outer")
        return seen

    r = run(main, steps={"work": lambda n: after(60, n)})
    assert r.result == ["inner", "outer"]


def test_wait_for_with_no_time_left_starts_nothing() -> None:
    @flow
    async def main() -> str:
        try:
            await p.wait_for(at("timeout"), call(1), 0)
        except TimeoutError as error:
            return str(error)
        return "no"

    r = run(main, steps={})
    assert (r.result, r.trace) == ("", ())


def test_a_task_group_holds_exactly_the_error_that_cancelled_it() -> None:
    @flow
    async def main() -> object:
        try:
            async with p.task_group(at("group")) as group:
                group.create_task(call(0))
                group.create_task(call(1))
                group.create_task(call(2))
        except ExceptionGroup as caught:
            return [str(error) for error in caught.exceptions], caught.message
        return None

    def script(n: int) -> object:
        return after(5, ValueError(n)) if n else after(60, n)

    r = run(main, steps={"work": script})
    assert r.result == (["1"], "unhandled errors in a TaskGroup")
    assert {e.path: e.outcome for e in r.trace}["group[0]/work"] == "cancelled"


def test_a_failing_task_cancels_the_body_of_its_group() -> None:
    @flow
    async def main() -> object:
        seen: list[str] = []
        try:
            async with p.task_group(at("group")) as group:
                group.create_task(call(0))
                try:
                    await p.sleep(at("sleep"), "1d")
                except asyncio.CancelledError:
                    seen.append("cancelled")
                    raise
        except* ValueError:
            seen.append("failed")
        await p.sleep(at("sleep"), 1)
        return seen

    r = run(main, steps={"work": [after(3, ValueError())]})
    assert r.result == ["cancelled", "failed"]


def test_tasks_offer_their_results_after_the_join() -> None:
    @flow
    async def main() -> object:
        async with p.task_group(at("group")) as group:
            tasks = [group.create_task(call(n)) for n in range(3)]
        return [task.result() for task in tasks]

    assert run(main, steps={"work": lambda n: after(5 - n, n)}).result == [0, 1, 2]


def test_the_body_of_a_group_fails_and_its_tasks_are_cancelled() -> None:
    @flow
    async def main() -> object:
        try:
            async with p.task_group(at("group")) as group:
                group.create_task(p.sleep(at("sleep"), "1d"))
                await call(1)
        except ExceptionGroup as caught:
            return [repr(error) for error in caught.exceptions]
        return None

    r = run(main, steps={"work": [after(1, KeyError("a"))]})
    assert r.result == ["KeyError('a')"]
    assert r.trace[-1].outcome == "cancelled"
