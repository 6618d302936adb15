"""Programs that once went wrong, made small; each has the fault that it found in its name."""

from tests.differential.harness import Program

__all__ = ["KNOWN"]


type Event = tuple[object, str, object]


def _flow(
    name: str, body: str, events: tuple[Event, ...] = (), cancel: float | None = None
) -> Program:
    lines = "\n".join(f"    {line}" for line in body.split("\n"))
    text = f"@flow\nasync def main(x: int) -> Any:\n    out: list[Any] = []\n{lines}\n"
    return Program(name, text, {"x": 1}, events, cancel)


KNOWN = (
    _flow("await_in_the_default_of_a_lambda", "y = (lambda v=await a(2): v)()\nreturn y"),
    _flow(
        "await_in_the_defaults_of_a_nested_function",
        "def f(p: Any = await a(5), *, q: Any = await a('q')) -> Any:\n    return p, q\n"
        "await sleep(1)\nreturn f()",
    ),
    _flow(
        "await_in_a_default_inside_a_comprehension",
        "return [(lambda v=await a(i): v)() for i in range(3)]",
    ),
    _flow(
        "await_after_an_unpacked_dict",
        "d = {'a': 1}\nasync def grow() -> Any:\n    d['b'] = 2\n    return await a(5)\n"
        "return {**d, 'x': await grow(), **d}",
    ),
    _flow(
        "two_waits_of_one_instant_stand_in_line_by_index",
        "async def inner() -> Any:\n    return await race(f=event('news'), s=sleep(2))\n"
        "return await gather(inner(), event('news', timeout=3), return_exceptions=True) and 1",
        events=((1, "news", None),),
    ),
    _flow("dicts_of_a_child_in_its_trace", "return await kid(2, k={'b': 1, 'a': 2})"),
    _flow(
        "a_scope_answers_what_it_took_itself",
        "await race(e=event('news'), s=sleep(3))\nawait gather(event('news'), sleep(0))\n"
        "try:\n    await reply('news', 5)\nexcept RuntimeError as e:\n    out.append(str(e))\n"
        "await event('news')\nawait reply('news', 6)\nreturn out",
        events=((1, "news", 1), (2, "news", 2), (3, "news", 3)),
    ),
    _flow(
        "an_attribute_that_is_counted_up_and_may_have_no_codec",
        "it = Item('i')\ntry:\n    it.count += it.bump(1)\nfinally:\n"
        "    it = replace(it, name=it.name + 'x')\ntry:\n    it.count += await kid.start(1)\n"
        "except TypeError as e:\n    out.append(str(e))\nreturn it, out",
    ),
    _flow(
        "a_value_of_unknown_origin_beside_a_fork_in_a_helper",
        "async def inner() -> Any:\n    return await race(**{k: slow(1, k) for k in 'pq'})\n"
        "later = [a(1), inc(2)]\nout.append(await gather(inner(), inner()))\n"
        "out.append(await later.pop())\nreturn out",
    ),
    _flow(
        "two_events_at_the_deadline_of_a_wait",
        "return await event('news', timeout=1)",
        events=((1, "other", None), (1, "news", 1)),
    ),
    _flow(
        "a_run_ends_at_the_instant_of_a_deadline_that_was_left",
        "await asyncio.wait_for(slow(1, 2), 1)\nraise Odd(out)",
    ),
    _flow(
        "a_quorum_that_is_cancelled_is_not_out_of_reach",
        "return await quorum(2, slow(3, 1), race(p=slow(3, 1), q=slow(4)), late(4, 'v'))",
        cancel=2,
    ),
    _flow(
        "what_ends_at_the_instant_of_a_failure_has_ended",
        "return await gather(late(1, 'v'), event('news', timeout=1), fail_fast=True)",
    ),
    _flow(
        "a_quorum_counts_all_that_ends_at_one_instant",
        "try:\n    await quorum(2, late(1, 'v'), late(1, 'key'), late(1, 'x'))\n"
        "except ExceptionGroup as e:\n    out.append(str(e))\n"
        "return out, await quorum(2, kid(2), maybe(2), kid(3))",
    ),
    _flow("a_child_ends_at_the_instant_of_a_deadline", "return await asyncio.wait_for(kid(1), 2)"),
    _flow(
        "a_step_under_way_when_its_run_is_cancelled_meets_no_deadline",
        "return await asyncio.wait_for(slow(3, 1), 2)",
        cancel=1,
    ),
    _flow(
        "a_child_is_left_behind_by_a_failure",
        "return await gather(kid(1), boom('key'), fail_fast=True)",
    ),
    _flow(
        "a_fork_inside_a_task_decides_before_its_group",
        "async with asyncio.TaskGroup() as g:\n"
        "    g.create_task(race(u=late(1, 'v'), v=slow(2, 2)))\n"
        "    g.create_task(late(1, 'key'))\n",
    ),
    _flow(
        "a_task_that_is_one_wait_is_cancelled_with_its_group",
        "async with asyncio.TaskGroup() as g:\n    g.create_task(sleep(4))",
        cancel=2.5,
    ),
    _flow(
        "how_far_the_child_of_a_loser_came_is_nobodys_promise",
        "return await quorum(2, kid(2), kid(2), kid(3))",
    ),
)
