"""The flow whose runs lie in the store of version 1 beside this file."""

import os
import signal

from perdure import event, flow, gather, sleep, step


@step
async def double(n: int) -> int:
    return 2 * n


@step
def fall(n: int) -> int:
    if not os.environ.get("SURVIVE"):
        os.kill(os.getpid(), signal.SIGKILL)
    return n


@flow
async def inner(n: int) -> int:
    return await double(n) + 1


@flow
async def numbers(n: int, way: str) -> list[int]:
    found = await gather(double(n), inner(n), double(n + 1))
    print("found", found)
    if way == "fail":
        raise ValueError(f"no way with {n}")
    if way == "wait":
        found.append(await event("more", int))
    if way == "nap":
        await sleep("1s")
    if way == "die":
        found.append(await fall(n))
    return found
