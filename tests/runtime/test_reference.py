"""The reference: cancel, retries, events, children, bodies, scripts."""

# Scripts are lambdas, whose parameters no checker can know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from perdure import Fatal, Handle, Retry, RetryAfter, flow, step
from perdure.runtime import calls as p
from perdure.testing import ScriptError, after
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


CANCELS: dict[str, Callable[[], Any]] = {
    "sleep": lambda: p.sleep(at("wait"), "1d"),
    "event": lambda: p.event(at("wait"), "never"),
    "gather": lambda: p.gather(at("gather"), p.sleep(at("wait"), "1d"), p.sleep(at("w"), "2d")),
    "race": lambda: p.race(at("race"), a=p.sleep(at("wait"), "1d")),
    "timeout": lambda: p.wait_for(at("timeout"), p.sleep(at("wait"), "1d"), "1h"),
}


@pytest.mark.parametrize("kind", CANCELS)
def test_a_cancel_is_raised_where_the_run_waits_and_cleanup_runs(kind: str) -> None:
    @flow
    async def main() -> None:
        try:
            await CANCELS[kind]()
        finally:
            await call(1)

    r = run(main, steps={"work": [after(30, 1)]}, cancel=100)
    assert r.status == "cancelled"
    outcomes = {e.path: e.outcome for e in r.trace}
    assert outcomes.pop("work") == {"value": 1}
    assert outcomes
    assert set(outcomes.values()) == {"cancelled"}


@pytest.mark.parametrize("parallel", [False, True])
def test_a_step_under_way_ends_and_is_recorded_before_the_cancel(parallel: bool) -> None:
    @flow
    async def main() -> None:
        if parallel:
            await p.gather(at("gather"), call(1), p.sleep(at("sleep"), "1d"))
        else:
            await call(1)

    r = run(main, steps={"work": [after(200, 1)]}, cancel=100)
    assert r.status == "cancelled"
    entry = next(e for e in r.trace if e.kind == "step")
    assert (entry.outcome, entry.time - START) == ({"value": 1}, 200)


def test_a_run_may_survive_its_cancellation() -> None:
    @flow
    async def main() -> str:
        try:
            await p.sleep(at("sleep"), "1d")
        except asyncio.CancelledError as error:
            return f"kept {error.args}"
        return "no"

    r = run(main, cancel=5)
    assert (r.status, r.result) == ("done", "kept ()")


def test_retries_wait_in_virtual_time() -> None:
    @step(retry=Retry(attempts=4, delay="1s", backoff=3, max_delay="5s"))
    async def flaky() -> int: ...

    @flow
    async def main() -> Any:
        return await p.call(at("flaky"), flaky)

    errors = [ValueError(), ValueError(), ValueError()]
    r = run(main, steps={"flaky": [*errors, 5]})
    assert (r.result, r.trace[0].attempts) == (5, 4)
    assert r.trace[0].time - START == 1 + 3 + 5


def test_fatal_and_not_on_end_retries_and_retry_after_sets_the_delay() -> None:
    @step(retry=Retry(attempts=None, not_on=[LookupError]))
    async def flaky(n: int) -> int: ...

    @flow
    async def main(n: int) -> Any:
        return await p.call(at("flaky"), flaky, n)

    for error in (Fatal("no"), KeyError("k")):
        r = run(main, {"n": 1}, steps={"flaky": [error]})
        assert (r.trace[0].attempts, type(r.error)) == (1, type(error))
    r = run(main, {"n": 1}, steps={"flaky": [RetryAfter("90s"), 3]})
    assert (r.result, r.trace[0].time - START) == (3, 90)


def test_an_attempt_that_takes_too_long_times_out() -> None:
    @step(timeout="30s", retry=2)
    async def slow() -> int: ...

    @flow
    async def main() -> str:
        try:
            await p.call(at("slow"), slow)
        except TimeoutError as error:
            return repr(error)
        return "in time"

    assert run(main, steps={"slow": [after(31, 1), after(31, 2)]}).result == "TimeoutError()"
    assert run(main, steps={"slow": [after(31, 1), after(30, 2)]}).result == "in time"


def test_without_a_timeout_an_attempt_has_ten_minutes() -> None:
    @flow
    async def main() -> Any:
        return await call(1)

    assert run(main, steps={"work": [after("10m", 1)]}).status == "done"
    assert type(run(main, steps={"work": [after("601s", 1)]}).error) is TimeoutError


def test_events_are_first_in_first_out_and_kept() -> None:
    @flow
    async def main() -> object:
        await p.sleep(at("sleep"), 100)
        got = [await p.event(at("tick"), "tick") for _ in range(3)]
        return got, await p.event(at("done"), "done", Decision)

    events: list[tuple[float, str, object]] = [
        (1, "tick", 1),
        (1, "tick", 2),
        (5, "done", {"approved": True}),
        (200, "tick", 3),
    ]
    assert run(main, events=events).result == ([1, 2, 3], Decision(True))


def test_a_timed_out_event_raises_timeout_error_and_one_at_the_deadline_is_in_time() -> None:
    @flow
    async def main() -> object:
        try:
            return await p.event(at("tick"), "tick", timeout="10s")
        except TimeoutError as error:
            return [type(error).__name__, str(error)]

    assert run(main).result == ["TimeoutError", ""]
    assert run(main, events=[(10, "tick", "now")]).result == "now"
    assert run(main, events=[(11, "tick", "late")]).result == ["TimeoutError", ""]


def test_timeout_zero_takes_what_is_there() -> None:
    @flow
    async def main() -> object:
        await p.sleep(at("sleep"), 10)
        first = await p.event(at("tick"), "tick", timeout=0)
        try:
            await p.event(at("tick"), "tick", timeout=0)
        except TimeoutError:
            return first
        return "two"

    r = run(main, events=[(1, "tick", 1)])
    assert (r.result, r.trace[-1].time - START) == (1, 10)


@pytest.mark.parametrize("seed", SEEDS)
def test_with_both_events_there_the_lower_index_wins_and_the_other_stays(seed: int) -> None:
    @flow
    async def main() -> object:
        await p.sleep(at("sleep"), 10)
        won = await p.race(at("race"), a=p.event(at("a"), "a"), b=p.event(at("b"), "b"))
        return won, await p.event(at("b"), "b", timeout=0)

    r = run(main, events=[(2, "b", "B"), (3, "a", "A")], seed=seed)
    assert r.result == (("a", "A"), "B")
    assert {e.path: e.outcome for e in r.trace}["race[b]/b"] == "cancelled"


def test_what_an_overtaken_gather_took_is_given_back() -> None:
    @flow
    async def main() -> object:
        both = p.gather(at("gather"), p.event(at("a"), "a"), p.event(at("b"), "b"))
        try:
            await p.wait_for(at("timeout"), both, 10)
        except TimeoutError:
            return await p.event(at("a"), "a", timeout=0)
        return "both"

    assert run(main, events=[(5, "a", "A")]).result == "A"


def test_a_run_that_waits_for_what_never_comes_is_waiting() -> None:
    @flow
    async def main() -> None:
        await p.event(at("never"), "never")

    r = run(main)
    assert (r.status, r.result, r.error, r.trace) == ("waiting", None, None, ())


def test_a_child_flow_fails_with_the_same_error_and_its_operations_lie_below_it() -> None:
    @flow(retry=2)
    async def child(n: int) -> Any:
        return await call(n)

    @flow
    async def main() -> object:
        first = await p.call(at("child"), child, 1)
        try:
            await p.call(at("child"), child, 2)
        except KeyError as error:
            return first, error.args
        return None

    r = run(main, steps={"work": [5, KeyError("k", 1), KeyError("k", 2)]})
    assert r.result == (5, ("k", 2))
    assert paths(r) == ["child/work", "child", "child#2/work", "child#2~2/work", "child#2"]


def test_bodies_run_when_the_script_says_so() -> None:
    from perdure import this_step

    @step
    async def real(n: int) -> str:
        await asyncio.sleep(0)
        return f"{this_step().key} {this_step().attempt} {n}"

    @step
    def plain(n: int) -> int:
        return n + 1

    @flow
    async def main() -> object:
        return [await p.call(at("real"), real, 1), await p.call(at("plain"), plain, 1)]

    assert run(main, bodies=True).result == ["run/real 1 1", 2]


def test_randomness_is_the_same_in_every_interleaving() -> None:
    @flow
    async def main() -> object:
        async def branch() -> object:
            await p.sleep(at("sleep"), 1)
            return [p.random(), p.uuid4().hex, p.rng().choice("abc")]

        return await p.gather(at("gather"), branch(), branch())

    results = [run(main, seed=seed).result for seed in SEEDS]
    assert results == [results[0]] * len(SEEDS)
    assert results[0][0] != results[0][1]


def test_answers_in_turn_are_refused_in_parallel_and_when_used_up() -> None:
    @flow
    async def main() -> None:
        await p.gather(at("gather"), call(1), call(2))

    with pytest.raises(ScriptError, match=r"parallel.*function of the arguments"):
        run(main, steps={"work": [1, 2]})
    with pytest.raises(ScriptError, match="has no script"):
        run(main, steps={})

    @flow
    async def twice() -> None:
        await call(1)
        await call(2)

    with pytest.raises(ScriptError, match="used up its 1 answers"):
        run(twice, steps={"work": [1]})


def test_a_payload_that_does_not_fit_is_an_error_of_the_script() -> None:
    @flow
    async def main() -> None:
        await p.event(at("done"), "done", Decision)

    with pytest.raises(ScriptError, match="approved"):
        run(main, events=[(1, "done", {"approved": "maybe"})])


def test_input_that_does_not_fit_is_refused_at_the_start() -> None:
    @flow
    async def main(n: int, words: list[str] = ["a"]) -> object:  # noqa: B006
        words.append("b")
        return [n, words]

    assert run(main, {"n": 1}).result == [1, ["a", "b"]]
    assert run(main, {"n": 1}).result == [1, ["a", "b"]]
    r = run(main, {"n": "one"})
    assert type(r.error).__name__ == "InvalidInput"
    assert "`n`" in str(r.error)
    assert type(run(main, {}).error).__name__ == "InvalidInput"


def test_a_conversation_is_answered_and_unanswered_when_the_run_ends() -> None:
    @flow
    async def talk() -> str:
        await p.reply(at("reply"), "message", "hello " + await p.event(at("message"), "message"))
        return "bye"

    @flow
    async def main() -> object:
        handle = await p.start(at("start"), talk, id="t")
        answer = await p.ask(at("ask"), handle, "message", "you")
        try:
            await p.ask(at("ask"), handle, "message", "again")
        except Exception as error:
            return answer, type(error).__name__
        return answer

    r = run(main)
    assert r.result == ("hello you", "Unanswered")
    assert [e.kind for e in r.trace] == ["start", "ask", "ask"]


def test_a_flow_that_sends_what_does_not_fit_is_refused() -> None:
    @flow
    async def listener() -> str:
        decision = await p.event(at("done"), "done", Decision)
        return str(decision.approved)

    @flow
    async def main() -> object:
        handle = await p.start(at("start"), listener)
        await p.sleep(at("sleep"), 1)
        refused = ""
        try:
            await p.send(at("send"), handle, "done", "yes")
        except ValueError as error:
            refused = type(error).__name__
        await p.send(at("send"), handle, "done", Decision(True))
        try:
            await p.send(at("send"), Handle("nobody"), "done", 1)
        except LookupError as error:
            return refused, str(error)
        return None

    r = run(main)
    assert r.result == ("InvalidInput", "no run 'nobody'")
    assert [e.kind for e in r.trace] == ["start", "sleep", "send", "send", "send"]
