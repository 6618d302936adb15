"""Flows that await other flows: values, errors, retries, recursion, forks, cancels."""

from asyncio import timeout

from perdure import Retry, event, flow, gather, race, sleep, step


class Refused(Exception):  # noqa: N818  (reads as what happened)
    pass


@step
async def work(name: str) -> int: ...


@step
async def undo(name: str) -> None: ...


@flow
async def half(n: int) -> float:
    await sleep("1h")
    return await work(f"half {n}") / 2


@flow
async def refusing(n: int) -> float:
    await work(f"refusing {n}")
    raise Refused("no", n)


@flow
async def main(n: int) -> list[object]:
    seen: list[object] = [await half(n)]
    try:
        await refusing(n)
    except Refused as error:
        seen.append(error.args)
    return seen


@flow
async def unhandled(n: int) -> float:
    return await refusing(n)


@flow
async def factorial(n: int) -> int:
    return 1 if n <= 0 else n * await factorial(n - 1)


@flow
async def tail(n: int) -> int:
    await work(str(n))
    if n > 0:
        return await tail(n - 1)
    return n


@flow
async def together(n: int) -> list[object]:
    mixed = await gather(half(n), work("beside"), refusing(n), return_exceptions=True)
    mapped = await gather(*[half(k) for k in range(n)])
    return [str(mixed), mapped]


@flow(retry=Retry(attempts=3, delay="10s", jitter=False, not_on=[Refused]))
async def flaky(n: int) -> int:
    done = await work(f"flaky {n}")
    await sleep("1m")
    return await work("fragile") + done


@flow
async def retried(n: int) -> int:
    return await flaky(n) + (await gather(flaky(n + 1)))[0]


@flow(retry=3)
async def hopeless(n: int) -> int:
    raise Refused(n)


@flow
async def gives_up(n: int) -> str:
    try:
        await hopeless(n)
    except Refused as error:
        return f"gave up: {error}"
    return "?"


FLOWS = {"half": half, "refusing": refusing}


@flow
async def by_name(names: list[str]) -> list[object]:
    results: list[object] = []
    for name in names:
        try:
            results.append(await FLOWS[name](len(name)))
        except Refused:
            results.append("refused")
    return results


@flow
async def guarded(n: int) -> int:
    try:
        await work("a")
        await event("never")
    finally:
        await sleep("1h")
        await undo("guarded")
    return n


@flow
async def bare(n: int) -> int:
    await sleep("2d")
    return n


@flow
async def waits_for_guarded(n: int) -> int:
    try:
        return await guarded(n)
    finally:
        await undo("parent")


@flow
async def waits_for_bare(n: int) -> int:
    return await bare(n) + await work("after")


@flow
async def waits_for_both(n: int) -> tuple[int, int]:
    return await gather(bare(n), guarded(n))


@flow
async def waits_for_flaky(n: int) -> int:
    return await flaky(n)


@flow
async def quick(n: int) -> int:
    return await work("quick")


@flow
async def working(n: int) -> int:
    done = await work("long")
    return done + await work("never begun")


@flow
async def races(n: int) -> list[object]:
    winner, value = await race(slow=guarded(n), fast=quick(n), bare=bare(n), busy=working(n))
    await work("after")
    return [winner, value]


@flow
async def races_time(n: int) -> list[object]:
    winner, value = await race(slow=guarded(n), late=sleep("2h"))
    return [winner, value]


@flow
async def keeps_events(n: int) -> list[object]:
    async def taking() -> int:
        await work("before")
        return await event("go", int)

    winner, value = await race(slow=taking(), late=sleep("2h"))
    return [winner, value, await event("go", int)]


@flow
async def limited(n: int) -> int:
    try:
        async with timeout(1800):
            return await guarded(n)
    except TimeoutError:
        return await work("after")


@flow
async def in_time(n: int) -> int:
    async with timeout(1800):
        return await quick(n)


@flow
async def limited_branches(n: int) -> list[object]:
    try:
        async with timeout(35):
            return list(await gather(guarded(n), working(n), quick(n)))
    except TimeoutError:
        return [await work("after")]
