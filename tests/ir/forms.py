"""One small flow for each form of the language, for the goldens."""

_STEPS = """
@step
async def fetch(url: str, *, fresh: bool = False) -> str: ...
@step(retry=3)
async def rate(text: str) -> int: ...
TOOLS = {"fetch": fetch, "rate": rate}
"""


def _flow(body: str, parameters: str = "urls: list[str], n: int = 2") -> str:
    indented = "\n".join(f"    {line}" for line in body.strip("\n").split("\n"))
    return f"{_STEPS}\n@flow\nasync def main({parameters}) -> Any:\n{indented}\n"


FORMS = {
    "straight": _flow("text = await fetch(urls[0], fresh=True)\nn += await rate(text)\nreturn n"),
    "conditions": _flow(
        "if n and await rate(urls[0]) > 1 or not urls:\n    return 1\n"
        "x = (await rate('a') if n else await rate('b')) < n < await rate('c')\nreturn x"
    ),
    "loops": _flow(
        "total = 0\nfor at, url in enumerate(urls):\n    if at > n: break\n"
        "    total += await rate(url)\nelse:\n    total = -1\n"
        "while await rate('x') < n:\n    n -= 1\n    if n == 7: continue\n    await sleep(n)\n"
        "for url in urls:\n    if url == 'stop':\n        return url\nreturn total"
    ),
    "errors": _flow(
        "try:\n    text = await fetch('a')\nexcept (ValueError, OSError) as error:\n"
        "    text = await fetch(str(error))\nelse:\n    n = 3\nfinally:\n    await rate('done')\n"
        "with suppress(KeyError):\n    await rate(text)\n"
        "assert n, await fetch('why')\nraise RuntimeError(await fetch('x')) from None"
    ),
    "targets": _flow(
        "box = {}\nbox['a'] = await fetch('a')\nbox[await fetch('k')] = await fetch('v')\n"
        "box['n'] += await rate('n')\nfirst, *rest = await fetch('list')\n"
        "del box[await fetch('k')]\nreturn f'{first:>{n}}{await fetch(rest[0])!r}'"
    ),
    "comprehensions": _flow(
        "a = [await fetch(u) for u in urls if u]\n"
        "b = {u: await rate(u) for row in [urls] for u in row if await rate(u)}\n"
        "c = {await fetch(u) for u in urls}\nd = [len(u) for u in await fetch('all')]\n"
        "e = await gather(*[fetch(u) for u in await fetch('more')])\nreturn a, b, c, d, e"
    ),
    "gather": _flow(
        "a, b = await gather(fetch(urls[0]), rate(urls[1]))\n"
        "c = await gather(*[fetch(u, fresh=n > 1) for u in urls if u], limit=n)\n"
        "d = await gather(*[rate('same') for _ in urls], return_exceptions=True)\n"
        "e = await gather(fetch('x'), *[rate(u) for u in urls])\n"
        "kept = [fetch(u) for u in urls]\nf = await gather(*kept, fail_fast=True)\n"
        "g = await gather(*[TOOLS[u](u) for u in urls])\n"
        "h = await gather(gather(fetch('1'), sleep(3)), event('go'))\nreturn a, b, c, d, e, f, g, h"
    ),
    "race": _flow(
        "winner, value = await race(clicked=event('click', timeout='2d'), late=sleep('1d'))\n"
        "named = await race(**{u: fetch(u) for u in urls})\n"
        "two = await quorum(2, *[fetch(u) for u in urls])\n"
        "one = await quorum(1, fetch('a'), fetch('b'))\nreturn winner, value, named, two, one"
    ),
    "natives": _flow(
        "answer = await event('approval', str, timeout='3d')\n"
        "await progress({'at': datetime.now()})\nawait reply('message', answer)\n"
        "await sleep(until=datetime.now())\nawait asyncio.sleep(5)\nprint(answer)\n"
        "return this_run().id"
    ),
    "deadlines": _flow(
        "text = await asyncio.wait_for(fetch(urls[0]), n * 2)\n"
        "async with asyncio.timeout(n):\n    text = await fetch(text)\n    return text"
    ),
    "task_group": _flow(
        "async with asyncio.TaskGroup() as group:\n    a = group.create_task(fetch(urls[0]))\n"
        "    rest = [group.create_task(rate(u)) for u in urls]\n"
        "return a.result(), [t.result() for t in rest]"
    ),
    "values": _flow(
        "later = fetch('a')\npick = fetch if n else rate\nx = await pick('b')\n"
        "y = await TOOLS['rate'](**{'text': x})\nz = await fetch.options(timeout='5m')('c')\n"
        "return await later, x, y, z"
    ),
    "match": _flow(
        "match await fetch('a'):\n    case '': return 0\n"
        "    case str(s) if await rate(s): return 1\n"
        "    case 'x' if n: return 2\n    case other: await fetch(other)\nreturn 3"
    ),
    "helpers": f"""{_STEPS}
async def both(a: str, b: str = "z") -> tuple[str, str]:
    return await fetch(a), await fetch(b)

@flow
async def main(urls: list[str]) -> Any:
    count = 0
    async def counted(url: str) -> str:
        nonlocal count
        count += await rate(url)
        return await fetch(url)
    x = await both(await counted(urls[0]))
    y = await gather(both("a"), both("b", b=urls[1]), *[both(u) for u in urls])
    return x, y, count
""",
    "closures": _flow("undo = []\nx = await fetch('a')\nundo.append(lambda: rate(x))\n"
    "for each in reversed(undo):\n    await each()"),
    "unlowered": _flow("async for x in urls:\n    await fetch(x)"),
}  # fmt: skip
