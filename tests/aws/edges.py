"""Flows at the edges: functions as values, ties, values that cannot cross, forks of nothing."""

import asyncio
from collections.abc import Awaitable, Callable

from perdure import event, flow, gather, race, sleep, step


@step
async def book(i: int) -> int: ...


@step
async def cancel_booking(i: int) -> None: ...


@step
async def slow(x: object) -> str: ...


@flow
async def saga(x: str) -> str:
    undo: list[Callable[[], Awaitable[None]]] = []
    try:
        for i in range(3):
            await book(i)
            undo.append(lambda i=i: cancel_booking(i))  # type: ignore[misc]  # `i` is an int
        raise RuntimeError("no room")
    except RuntimeError:
        for back in reversed(undo):
            await back()
    return "undone"


@flow
async def tie(x: str) -> str:
    name, value = await race(a=sleep(2), c=event("go"))
    return f"{name} {value}"


@flow
async def tie_of_three(x: str) -> str:
    name, value = await race(a=sleep(2), b=slow("b"), c=event("go"))
    return f"{name} {value}"


@flow
async def no_codec(x: str) -> object:
    await book(1)
    return object()


@flow
async def argument(x: str) -> str:
    try:
        await slow(n for n in range(3))
    except TypeError:
        await slow("caught")
    return "end"


@flow
async def nothing(x: str) -> list[object]:
    found: list[object] = await gather()
    return found


@flow
async def nothing_of_asyncio(x: str) -> list[object]:
    found: list[object] = await asyncio.gather()
    await slow("after")
    return found


@flow
async def over_a_variable(x: str) -> str:
    undo: list[Callable[[], Awaitable[None]]] = []
    await book(7)
    undo.append(lambda: cancel_booking(len(x)))
    await book(8)
    await undo.pop()()
    return "undone"


@flow
async def no_codec_in_a_branch(x: str) -> str:
    async def branch() -> object:
        await book(1)
        return object()

    try:
        await gather(branch(), book(2))
    finally:
        await book(3)
    return "end"


@flow
async def argument_in_a_loop(x: str) -> str:
    for given in (1, 2, 3):
        try:
            await slow((n for n in range(3)) if given == 2 else given)
        except TypeError:
            await slow("caught")
    return "end"


@flow
async def mixed(x: str) -> str:
    undo: list[Callable[[], Awaitable[object]]] = []
    undo.append(lambda: sleep(1))
    undo.append(lambda: book(1))
    for back in undo:
        await back()
    return "end"
