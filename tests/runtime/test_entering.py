"""What a helper's branch is given and closes over is copied, as one heap, when it is forked."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from perdure.runtime.entering import HelperCall, entered, is_helper
from perdure.runtime.lazy import Lazy


async def add(xs: list[int], *, to: list[list[int]]) -> tuple[list[int], list[list[int]]]:
    xs.append(1)
    return xs, to


def run(work: Any) -> Any:
    return asyncio.run(_awaited(work))


async def _awaited(work: Any) -> Any:
    return await work


def helper_call(callee: Any, *args: Any, **kwargs: Any) -> HelperCall:
    assert is_helper(callee)
    return HelperCall(callee, args, kwargs)


def test_arguments_are_copied_and_share_what_they_shared() -> None:
    xs = [0]
    copied, to = run(entered(helper_call(add, xs, to=[xs]), None))
    assert copied == [0, 1]
    assert to[0] is copied
    assert xs == [0]


def test_awaited_plainly_it_shares_with_the_flow() -> None:
    xs = [0]
    copied, _ = run(helper_call(add, xs, to=[]))
    assert copied is xs


def _closure() -> tuple[list[int], dict[str, int], Callable[[int], Coroutine[Any, Any, Any]]]:
    held, counts = [0], {"n": 0}

    def note(n: int) -> None:
        counts["n"] += n

    async def work(n: int) -> tuple[list[int], int]:
        if n > 1:
            await work(n - 1)
        held.append(n)
        note(n)
        return held, counts["n"]

    return held, counts, work


def test_what_it_closes_over_is_copied_with_its_functions_and_with_itself() -> None:
    held, counts, work = _closure()
    assert run(entered(helper_call(work, 2), None)) == ([0, 1, 2], 3)
    assert (held, counts) == ([0], {"n": 0})


def test_what_lives_in_the_process_alone_is_handed_on() -> None:
    async def two() -> int:
        return 2

    async def outer(c: Any, lock: asyncio.Semaphore) -> Any:
        return await c, lock

    operation: Lazy[int] = Lazy("two", two)
    lock = asyncio.Semaphore(1)
    value, same = run(entered(helper_call(outer, operation, lock), None))
    assert (value, same is lock) == (2, True)


def test_what_cannot_cross_is_a_type_error_that_names_no_slot() -> None:
    call = helper_call(add, [object()], to=[])
    with pytest.raises(TypeError, match=r"^value\[0\]: `object` cannot cross"):
        entered(call, None)
    call.close()


def test_a_call_that_does_not_fit_fails_where_it_is_written() -> None:
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument"):
        helper_call(add, [])
