"""What hand-written orchestrators get wrong, each with the number under which it is reported.

Numbers are of Azure/azure-functions-durable-python where nothing else is said.
"""

from contextlib import suppress

from perdure import Retry, event, flow, gather, race, sleep, step

AGAIN = Retry(attempts=3, delay="1s", jitter=False)


@step(retry=AGAIN)
async def flaky(name: str) -> str: ...


@step
async def bad(name: str) -> str: ...


@step
async def plain(name: str) -> str: ...


@flow
async def race_603() -> list[str]:
    """A race of steps that are retried, then more steps: ids diverge (#603)."""
    winner, value = await race(a=flaky("a"), b=flaky("b"))
    return [winner, value, await plain("one"), await plain("two")]


@flow
async def failing_and_retrying() -> list[str]:
    """A gather of a failing and a retrying step, caught, then more steps: `[None, None]`."""
    with suppress(ValueError):
        await gather(bad("x"), flaky("y"))
    return [await plain("one"), await plain("two")]


@flow
async def early_507() -> list[int]:
    """Three events before the first wait: each is taken once, in order (#507)."""
    await sleep("1m")
    return [await event("go", int), await event("go", int), await event("go", int)]


@flow
async def nothing_513() -> list[str]:
    """A gather of nothing is an empty list: None, or a wait for ever (#513)."""
    return await gather(*[plain(name) for name in list[str]()])


@flow
async def again_after_timeout() -> str:
    """A second wait after one that timed out: it never ends, as the first stays in line."""
    with suppress(TimeoutError):
        await event("go", str, timeout="1h")
    return await event("go", str)


@flow
async def loser_354() -> str:
    """A race against a timer of 30 days ends when it is won (#354, #348)."""
    winner, _ = await race(late=sleep("30d"), done=plain("x"))
    return winner


@flow
async def typed_496() -> str:
    """`except ValueError` around a step that raises it (#496, #229)."""
    try:
        return await bad("x")
    except ValueError as error:
        return f"caught {error.args}"


@flow
async def years() -> str:
    """Timers of years (azure-functions-durable-extension#1910)."""
    await sleep("400d")
    with suppress(TimeoutError):
        return await event("go", str, timeout="800d")
    return await event("go", str, timeout="2d")
