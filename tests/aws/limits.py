"""Flows that come to the limits of Step Functions."""

from perdure import event, flow, gather, sleep, step, this_run


@step
async def large(size: int) -> str: ...


@step
async def count(n: int) -> int: ...


@step
async def refuse(size: int) -> str: ...


@flow
async def carry(size: int) -> int:
    text = await large(size)
    done = await count(1)
    return len(text) + done


@flow
async def loop(times: int) -> int:
    total = 0
    for n in range(times):
        total += await count(n)
    return total


async def answer(n: int) -> int:
    await event("go", timeout="1h")
    return n


@flow
async def wide(n: int) -> int:
    try:
        return len(await gather(*[answer(k) for k in range(n)], return_exceptions=True))
    except RuntimeError:
        return -1


@flow
async def joined(n: int) -> int:
    return len("".join(await gather(*[large(100_000) for _ in range(n)])))


@flow
async def handled(size: int) -> str:
    text = await large(size)
    try:
        await refuse(size)
    except ValueError:
        size = len(text)
    return await large(size)


@flow
async def nap(days: int) -> int:
    await sleep(days * 86_400)
    return days


async def adds(text: str, n: int) -> int:
    return len(text) + await count(n)


@flow
async def shared(n: int) -> list[int]:
    text = await large(100_000)
    return await gather(*[adds(text, k) for k in range(n)])


@flow
async def gives(size: int) -> str:
    return await large(size)


@flow
async def naps(times: int) -> int:
    total = 0
    for n in range(times):
        total += await count(n)
        await sleep("1h")
    return total


@flow
async def naps_guarded(times: int) -> int:
    total = 0
    try:
        for n in range(times):
            total += await count(n)
            await sleep("1h")
    finally:
        await count(-1)
    return total


@flow
async def approvals(n: int) -> int:
    results = await gather(*[approves(k, n) for k in range(n)])
    return len(results)


async def approves(k: int, of: int) -> int:
    if k:
        await sleep(k)
        await approvals.run(this_run().id).send(f"go_{k - 1}", k)
    if k < of - 1:
        await event(f"go_{k}", int)
    return await count(k)


@flow
async def many(n: int) -> int:
    return sum(await gather(*[count(k) for k in range(n)]))


@flow
async def limited(n: int) -> int:
    return sum(await gather(*[count(k) for k in range(n)], limit=7))


@flow
async def tolerant(n: int) -> list[str]:
    results = await gather(*[count(k) for k in range(n)], return_exceptions=True)
    return [str(r) for r in results if isinstance(r, BaseException)]
