"""Flows with what the corpus has little of, in one file: printed, and run on both engines."""

import asyncio
from contextlib import suppress

from perdure import event, flow, gather, quorum, race, sleep, step


@step
async def work(name: str) -> str:
    """Unscripted where a test says so."""
    return f"{name}!"


@step(retry=3)
async def flaky(name: str) -> str: ...


@step(timeout="10s")
async def slow(name: str) -> str: ...


async def twice(name: str, pause: str = "1s") -> str:
    """A helper: its operations count in the scope that runs it."""
    first = await work(name)
    await sleep(pause)
    return first + await work(first)


@flow
async def child(names: list[str]) -> list[str]:
    return await gather(*[work(name) for name in names])


@flow
async def everything(names: list[str]) -> list[object]:
    """Every kind of node that is printed."""
    seen: list[object] = []

    async def note(text: str) -> None:
        nonlocal seen
        seen = [*seen, await work(text)]

    await note("start")
    seen.append(await gather(work("a"), twice("b"), child(["c"]), sleep("2s")))
    seen.append(await gather(*[flaky(name) for name in names], return_exceptions=False, limit=2))
    seen.append(await race(left=twice("l", "5s"), right=work("r")))
    seen.append(await quorum(2, work("x"), work("y"), slow("z")))
    seen.append(await child(names))
    try:
        async with asyncio.timeout(3):
            await sleep("1h")
    except TimeoutError:
        seen.append("late")
    with suppress(ValueError):
        await asyncio.wait_for(twice("w"), 60)
        raise ValueError("caught")
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(work(name)) for name in names]
        last = group.create_task(twice("t"))
    seen.append([task.result() for task in tasks] + [last.result()])
    count = 0
    while (await work(f"n{count}")) != "n2!":
        count += 1
        if count > 5:
            break
    else:
        seen.append("counted")
    for name in names:
        match await work(name):
            case "p!":
                continue
            case other if other.endswith("!"):
                seen.append(other)
            case _:
                pass
    return seen


@flow
async def unwilling(names: list[str]) -> str:
    """Cleans up with operations, and takes its time when it is cancelled."""
    done: list[str] = []
    try:
        for name in names:
            try:
                await event(name, str, timeout="1h")
            finally:
                done.append(await work(name))
    except asyncio.CancelledError:
        print("cancelled")
        await work("cleanup")
        raise
    return ",".join(done)


@flow
async def inbox() -> list[str]:
    """Early events, events of losers, and a wait that is repeated."""
    got: list[str] = []
    await sleep("10s")
    name, value = await race(a=event("a", str), b=event("b", str))
    got.append(f"{name} {value}")
    with suppress(TimeoutError):
        got.append(await event("c", str, timeout="5s"))
    got.append(await event("c", str))
    got.append(await event("b", str))
    return got


@flow
async def kept_whole(name: str) -> list[str]:
    """Holds a statement that the IR does not take apart."""
    got: list[str] = []
    try:
        async with asyncio.timeout(3) as deadline:
            got.append(await work(name))
            await sleep("1h")
    except TimeoutError:
        got.append(f"late {deadline.expired()}")  # pyright: ignore[reportPossiblyUnboundVariable]
    return got
