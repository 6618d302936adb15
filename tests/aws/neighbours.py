"""Flows that start, ask, tell and cancel other runs."""

from asyncio import timeout

from perdure import Unanswered, event, flow, race, reply, sleep, step


@step
async def work(name: str) -> int: ...


@flow
async def clerk(n: int) -> int:
    asked = await event("question", int)
    await reply("question", asked + n)
    return await event("stop", int)


@flow
async def silent(n: int) -> int:
    await event("question", int)
    await sleep("1h")
    return n


@flow
async def converses(n: int) -> list[object]:
    handle = await clerk.start(n, id="order-17")
    other = await clerk.start(n)
    answer = await handle.ask("question", 5)
    await other.send("question", 1)
    await handle.cancel()
    return [handle.id, other.id, answer]


@flow
async def unanswered(n: int) -> str:
    handle = await silent.start(n)
    try:
        return str(await handle.ask("question", 5))
    except Unanswered as error:
        return str(error)


@flow
async def unknown(n: int) -> list[str]:
    seen: list[str] = []
    handle = clerk.run("nobody")
    try:
        await handle.send("question", 1)
    except LookupError as error:
        seen.append(str(error))
    try:
        await handle.ask("question", 1)
    except LookupError as error:
        seen.append(str(error))
    try:
        await handle.cancel()
    except LookupError as error:
        seen.append(str(error))
    return seen


@flow
async def impatient(n: int) -> list[object]:
    handle = await silent.start(n)
    seen: list[object] = []
    try:
        async with timeout(60):
            await handle.ask("question", 5)
    except TimeoutError:
        seen.append(await work("late"))
    winner, _ = await race(asked=handle.ask("question", 5), late=sleep(90))
    return [*seen, winner]


@flow
async def asks_for_ever(n: int) -> int:
    handle = await clerk.start(n)
    answer: int = await handle.ask("nothing", 5)
    return answer


@flow
async def again(n: int) -> list[str]:
    first = await clerk.start(n, id="one")
    second = await clerk.start(n, id="one")
    seen = [first.id, second.id]
    try:
        await clerk.start(n + 1, id="one")
    except RuntimeError as error:
        seen.append(str(error))
    return seen
