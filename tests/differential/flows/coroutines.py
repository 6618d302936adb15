"""Coroutine values as data: kept in locals, lists, tables; awaited or forked later."""

from tests.differential.harness import Program

PROGRAMS = (
    Program("v_list", 'todo = [slow(1, i) for i in range(3)]\nawait a(0)\nreturn [await t for t in todo]'),
    Program("v_append", 'todo = []\nfor i in range(3):\n    todo.append(a(i))\nreturn await gather(*todo)'),
    Program("v_mixed", 'todo = [a(1), sleep(2), inc(3)]\nawait sleep(1)\nreturn [await t for t in todo]'),
    Program("v_gather_mixed", "todo: list[Any] = [slow(1, 'x')]\nif await a(True):\n    todo.append(event('go'))\ntodo.append(sleep(4))\nreturn await gather(*todo, a('z'))", events=[(2, 'go', '!')]),
    Program("v_dict", "d = {'x': a(1), 'y': slow(2, 2)}\nawait sleep(1)\nreturn {k: await v for k, v in d.items()}"),
    Program("v_reuse", 'c = a(1)\nx = await c\ntry:\n    await c\nexcept RuntimeError as e:\n    return x, str(e)'),
    Program("v_helper", 'async def h(n: int, k: int = 2) -> Any:\n    x = await a(n)\n    await sleep(k)\n    return [x, k]\n@flow\nasync def main() -> Any:\n    todo = [h(1), h(2, k=3)]\n    await sleep(1)\n    return [await t for t in todo]'),
    Program("v_helper_gather", "async def h(n: int, k: int = 2) -> Any:\n    x = await a(n)\n    await sleep(k)\n    return [x, k]\n@flow\nasync def main() -> Any:\n    todo: list[Any] = []\n    for i in range(2):\n        todo.append(h(i))\n    todo.append(a('s'))\n    return await gather(*todo)"),
    Program("v_options", "todo = [a.options(timeout='1s')(1), slow.options(timeout=1)(5, 2)]\nawait sleep(1)\nout = []\nfor t in todo:\n    try:\n        out.append(await t)\n    except TimeoutError:\n        out.append('late')\nreturn out"),
    Program("v_cond", 'c = a(1) if await a(True) else inc(5)\nawait sleep(1)\nreturn await c'),
    Program("v_table", "T = {'a': a, 'inc': inc}\n@flow\nasync def main() -> Any:\n    todo = [T[n](1) for n in ['a', 'inc', 'a']]\n    await sleep(1)\n    return await gather(*todo)"),
    Program("v_table_tuple", "T = {'w': (str, a), 'v': (int, inc)}\n@flow\nasync def main() -> Any:\n    out = []\n    for k in ['w', 'v']:\n        kind, fn = T[k]\n        out.append(kind(await fn(3)))\n    return out"),
    Program("v_table_named", "T = {'w': (str, a), 'v': (int, inc)}\n@flow\nasync def main() -> Any:\n    await inc(0)\n    return await T['v'][1](3)"),
    Program("v_table_tuple_index", "T = {'w': (str, a), 'v': (int, inc)}\n@flow\nasync def main() -> Any:\n    return await T['v'][1](3)"),
    Program("v_wait_for", "c = slow(5, 1)\ntry:\n    return await asyncio.wait_for(c, 2)\nexcept TimeoutError:\n    return 'late'"),
    Program("v_task", "async with asyncio.TaskGroup() as tg:\n    ts = [tg.create_task(c) for c in [a(1), slow(2, 'x')]]\nreturn [t.result() for t in ts]"),
    Program("v_raises", "todo = [a(1), boom('x')]\ntry:\n    return [await t for t in todo]\nexcept ValueError as e:\n    return str(e)"),
    Program("v_not_awaitable", 'x = await a(5)\ntry:\n    c = a(1)\n    await (c if x == 4 else x)\nexcept TypeError as e:\n    c.close()\n    return str(e)'),
    Program("v_shared_arg", 'xs = [1]\nc = a(xs)\nxs.append(2)\nawait sleep(1)\nxs.append(3)\nreturn await c, xs'),
    Program("v_fn_param", 'async def h(c: Any) -> Any:\n    await sleep(1)\n    return await c\n@flow\nasync def main() -> Any:\n    return await h(a(7))'),
    Program("v_race", "return await race(**{k: slow(v, k) for k, v in {'p': 3, 'q': 1}.items()})"),
    Program("v_partial", 'import functools\nf = functools.partial(a, 5)\nreturn await f()'),
    Program("v_var", 'f = a if await a(True) else inc\nreturn await f(3)'),
    Program("v_method", 'class C:\n    async def go(self, n: int) -> Any:\n        return await a(n)\n@flow\nasync def main() -> Any:\n    c = C()\n    return await c.go(2)'),
    Program("v_dead", 'c = a(1)\nc.close()\nreturn 2'),
)
