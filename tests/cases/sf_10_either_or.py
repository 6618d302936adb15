"""SF-10: two pollers and a timer race; the first to finish decides the next step."""

from perdure import flow, race, sleep, step


@step
async def look(service: str) -> bool: ...


@step
async def finish(by: str) -> str: ...


async def poll(service: str, every: int) -> str:
    while not await look(service):
        await sleep(every)
    return service


@flow
async def either_or() -> str:
    winner, value = await race(
        slow=poll("slow", 4),
        fast=poll("fast", 3),
        timer=sleep(15),
    )
    return await finish(f"{winner} {value}")
