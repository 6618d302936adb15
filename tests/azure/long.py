"""Flows that live long: their runs hand over at the heads of loops."""

import random

from perdure import event, flow, race, sleep, step


@step
async def work(n: int) -> int:
    return n + 1


@flow
async def counts(n: int) -> int:
    total = 0
    while total < n:
        total = await work(total)
    return total


@flow
async def ranges(n: int) -> list[object]:
    seen: list[int] = []
    last = seen
    for i in range(n):
        seen.append(await work(i))
        if i % 50 == 7:
            print("at", i, random.random())
    last.append(-5)
    return [len(seen), last, seen[-1]]


@flow
async def talks(n: int) -> list[int]:
    got: list[int] = []
    try:
        got.append(await work(0))
        while len(got) < n:
            winner, value = await race(go=event("go", int), late=sleep("1h"))
            if winner == "late" or value is None:
                break
            got.append(value)
        else:
            got.append(-1)
    finally:
        got.append(await work(len(got)))
    return got
