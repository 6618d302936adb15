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


@flow
async def chosen(n: int) -> list[object]:
    """Loops in both ways of an `if`, in a `try`, with something before and after each."""
    seen: list[object] = []
    try:
        if await work(n) % 2:
            seen.append("odd")
            for i in range(n):
                seen[-1] = await work(i)
            seen.append("even after all")
        elif (m := n) > 60:
            total = 0
            while total < m:
                total = await work(total)
            seen.append(total)
        else:
            seen.append("none")
    finally:
        seen.append(await work(len(seen)))
    while len(seen) < n:
        seen.append(await work(0))
    return [seen[0], seen[1], len(seen)]


@flow
async def removes(n: int) -> list[int]:
    """A list that its own loop changes: the loop goes on in the same list."""
    left = list(range(n))
    seen: list[int] = []
    for one in left:
        seen.append(await work(one))
        if one % 3 == 0:
            left.remove(one)
        elif one % 7 == 0:
            left.append(one + 1)
        elif len(seen) == 50:
            del left[60:]
            left.append(-2)
    return [*seen, *left]


@flow
async def grows_items(n: int) -> list[list[int]]:
    """What the loop goes through is what the variable holds, item by item."""
    rows = [[one] for one in range(n)]
    for row in rows:
        row.append(await work(row[0]))
        if row[0]:
            rows[row[0] - 1].append(row[0])
    return rows
