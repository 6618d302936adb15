"""Methods, partials, fields and tables that hold steps or helpers."""

from tests.differential.harness import Program

PROGRAMS = (
    Program("m_class_attr", 'class T:\n    go = step(a.__wrapped__) if False else a\n@flow\nasync def main() -> Any:\n    return await T.go(3)'),
    Program("m_static", 'class T:\n    @staticmethod\n    @step\n    async def sa(x: int) -> int:\n        return x + 1\n@flow\nasync def main() -> Any:\n    return await T.sa(3)'),
    Program("m_partial_local", 'import functools\n@flow\nasync def main() -> Any:\n    f = functools.partial(a, k=2)\n    await sleep(1)\n    return await f(5)'),
    Program("m_partial_module", 'import functools\nF = functools.partial(a, 7)\n@flow\nasync def main() -> Any:\n    return await F()'),
    Program("m_dataclass_method", '@dataclass\nclass C:\n    n: int\n    async def go(self, k: int) -> Any:\n        self.n += await a(k)\n        return self.n\n@flow\nasync def main() -> Any:\n    c = C(1)\n    x = await c.go(2)\n    await sleep(1)\n    y = await c.go(3)\n    return x, y, c.n'),
    Program("m_method_gather", '@dataclass\nclass C:\n    n: int\n    async def go(self, k: int) -> Any:\n        return await a(k + self.n)\n@flow\nasync def main() -> Any:\n    c = C(1)\n    return await gather(c.go(1), c.go(2))'),
    Program("m_method_calls_method", '@dataclass\nclass C:\n    n: int\n    async def one(self) -> Any:\n        return await a(self.n)\n    async def two(self) -> Any:\n        return (await self.one(), await self.one())\n@flow\nasync def main() -> Any:\n    return await C(4).two()'),
    Program("m_field_fn", "@dataclass\nclass Tool:\n    name: str\n    fn: Any\nTOOLS = [Tool('x', a), Tool('y', inc)]\n@flow\nasync def main() -> Any:\n    out = []\n    for t in TOOLS:\n        out.append(await t.fn(2))\n    return out"),
    Program("m_dict_of_dicts", "T = {'p': {'fn': a, 'n': 1}, 'q': {'fn': inc, 'n': 2}}\n@flow\nasync def main() -> Any:\n    return [await T[k]['fn'](T[k]['n']) for k in ('p', 'q')]"),
    Program("m_list_of_steps", 'S = [a, inc]\n@flow\nasync def main() -> Any:\n    x = 1\n    for s in S:\n        x = await s(x)\n    return x'),
    Program("m_param_fn", 'async def twice(f: Any, x: Any) -> Any:\n    return await f(await f(x))\n@flow\nasync def main() -> Any:\n    return await twice(inc, 1), await twice(a, 2)'),
    Program("m_helper_value", "async def h(x: Any) -> Any:\n    return await a(x)\nT = {'h': h, 'a': a}\n@flow\nasync def main() -> Any:\n    return [await T[k](1) for k in T]"),
)
