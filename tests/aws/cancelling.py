"""Flows that are cancelled where they wait, work, retry, sleep, gather and race."""

import asyncio

from perdure import Retry, event, flow, gather, race, sleep, step


@step
async def work(name: str) -> str: ...


@step(retry=Retry(attempts=3, delay="1h", backoff=1.0, max_delay="1h", jitter=False))
async def flaky(name: str) -> str: ...


@step
async def undo(name: str) -> None: ...


@flow
async def sleeping(x: str) -> str:
    try:
        await work("a")
        await sleep("1d")
        await work("b")
    finally:
        await undo("all")
    return "done"


@flow
async def plain(x: str) -> str:
    await work("a")
    await sleep("1d")
    await work("b")
    return "done"


@flow
async def caught(x: str) -> str:
    try:
        await sleep("1d")
    except asyncio.CancelledError:
        await undo("x")
        await sleep("1h")
        await undo("y")
        raise
    return "done"


@flow
async def swallowed(x: str) -> str:
    try:
        await sleep("1d")
    except asyncio.CancelledError:
        await undo("x")
    await sleep("1h")
    return await work("z")


@flow
async def retried(x: str) -> str:
    try:
        return await flaky("f")
    finally:
        await undo("f")


@flow
async def retried_plain(x: str) -> str:
    return await flaky("f")


async def nap(name: str) -> str:
    await sleep("1d")
    return await work(name)


async def tidy(name: str) -> str:
    try:
        await event("go")
    finally:
        await undo(name)
    return name


@flow
async def together(x: str) -> tuple[str, str, str]:
    try:
        return await gather(nap("n"), work("w"), tidy("t"))
    finally:
        await undo("group")


@flow
async def together_plain(x: str) -> tuple[str, str, str]:
    return await gather(nap("n"), work("w"), flaky("f"))


@flow
async def limited(x: str) -> list[str]:
    try:
        return await gather(*[work(str(n)) for n in range(5)], limit=2)
    finally:
        await undo("group")


@flow
async def racing(x: str) -> str:
    try:
        _winner, value = await race(fast=work("fast"), slow=nap("slow"))
        return value
    finally:
        await undo("race")
