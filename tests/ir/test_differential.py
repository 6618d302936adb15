"""The heart of it: the IR of a flow does, event for event, what CPython does with its source."""

import warnings
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.ir.differential import Pair, assert_same
from tests.ir.generate import body

CHECKS = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)
SEVERAL = "a nested coroutine function of which there are several"
BITS = (0, -1, 0x5555555555555555, 0x123456789ABCDEF)

BODIES = {
    "augmented name reads first": "x = p\nx += await f(q)\nreturn x",
    "f-string": "return f'{p}{await f(q)!r:>{q}}' + p.a",
    "method call": "return p.m(p.a, await f(q), q.b)",
    "chained comparison": "return p < q < await f(p) < await g(q) < p",
    "and or": "return p and await f(1) and q or await g(p.x)",
    "condition": "if p.a and await f(1) or q: return 1\nreturn 2",
    "not in a condition": "if not (p.a and not await f(1)): return 1\nreturn 2",
    "comprehension": "return [await f(x, y) for x in p if x.ok for y in await g(x) if await f(y)]",
    "dict comprehension": "return {await f(x): await g(x) for x in p}",
    "set comprehension": "return {await f(x) for x in p}",
    "comprehension hides names": "x = p.a\ny = [await f(x) for x in q]\nreturn x, y",
    "targets": "p[q] = await f(p)\np[await g(1)] += await f(2)\np.a += await f(3)\n"
    "(p[await f(1)], p.z, *p.r) = p.x, q.y, 3, 4\nreturn p",
    "conditional await": "y = (await f(p) if await g(q) else await f(3))\n"
    "return await (f(1) if p else g(2))",
    "while": "while await f(p):\n    if await g(q): break\n    if q: continue\n    p.a\n"
    "else:\n    await f(9)\nreturn 1",
    "for and try": "for x in await f(p):\n    try:\n        await g(x)\n"
    "    except Exception as e:\n        await f(e)\n    else:\n        continue\n"
    "    finally:\n        p.fin\nreturn 1",
    "return in finally": "try:\n    return await f(p)\nfinally:\n    if await g(q): return q.b",
    "gather": "return await asyncio.gather(f(p.a), g(q.b), h(p.c, q))",
    "gather over arguments": "return await gather(*[f(x, p, 1) for x in p if x])",
    "gather over a generator": "return await gather(*(h(x, x.b) for x in p if x))",
    "gather over what was awaited": "return await gather(*[f(x, q.a) for x in await g(p) if x])",
    "comprehension over what was awaited": "return [x.a for x in await g(p) if x]",
    "gather over pairs": "return await gather(*[h(x, b=y) for x, y in [(p.a, q.b), (1, 2)]])",
    "gather without params": "return await gather(*[f(1) for _ in p])",
    "gather of a mixture": "return await gather(f(1), *[g(x) for x in p], h(p.a))",
    "gather of values": "cs = [f(x) for x in p]\nreturn await gather(*cs)",
    "gather of a table": "return await gather(*[TABLE[n](p.a) for n in ('f', 'x')])",
    "gather that cannot bind": "return await gather(f(1), h(1, 2, 3), g(2))",
    "gather within gather": "return await gather(gather(f(p.a), f(p.b)), "
    "*[gather(f(x)) for x in p])",
    "gather with an option": "return await gather(f(p.a), return_exceptions=await g(q))",
    "race": "return await race(one=f(p.a))",
    "race over names": "return await race(**{'one': f(p.a)})",
    "nested function": "async def inner(a):\n    nonlocal z\n    z = await f(a, z)\n    return z\n"
    "z = p\nawait inner(q)\nreturn z",
    "suppress": "with suppress(ValueError, KeyError):\n    await f(p)\n    return 5\nreturn 6",
    "suppress an error": "with suppress(ValueError, KeyError):\n    await f(p)\n"
    "    raise KeyError(1)\nreturn 6",
    "suppress a group": "with suppress(KeyError):\n    await f(p)\n"
    "    raise ExceptionGroup('g', [KeyError(1), ValueError(2)])\nreturn 6",
    "with": "with p as a, q.m() as b:\n    await f(a, b)\n    return 5\nreturn 6",
    "match": "match p:\n    case 1: return 2\n    case x if await f(x): return x\n"
    "    case x if q: return 2\n    case _: return await g(1)",
    "task group": "async with asyncio.TaskGroup() as tg:\n    t = tg.create_task(f(p.a))\n"
    "    ts = [tg.create_task(g(x)) for x in q]\nreturn [t.result(), *[t.result() for t in ts]]",
    "await of a task": "async with asyncio.TaskGroup() as tg:\n    t = tg.create_task(f(p.a))\n"
    "    x = await t\nreturn x",
    "task with a name": "async with asyncio.TaskGroup() as tg:\n"
    "    t = tg.create_task(f(p.a), name=q.b)\n    u = tg.create_task(g(2), name='u')\n"
    "return [t.get_name() == str(q.b), u.get_name(), t.result()]",
    "sleep with a result": "x = [await asyncio.sleep(0, p.a), await asyncio.sleep(0, result=q)]\n"
    "y = await asyncio.gather(asyncio.sleep(0, q.b), asyncio.sleep(0))\nreturn x, y",
    "wait_for": "return await asyncio.wait_for(f(p.a), 5)",
    "timeout": "async with asyncio.timeout(5):\n    await f(p)\nreturn await TABLE['f'](p.x)",
    "assert": "assert await f(p), await g(q)\nassert p, await g(q)\nassert await f(p), q.m",
    "del": "del p[await f(q)], p[await g(q)]\nreturn (y := await f(1)) + y",
    "exits of a pure loop": "for x in p:\n    if x: return x.a\n    elif x.b: break\n"
    "else:\n    return 3\nawait f(1)",
    "unbound": "if p:\n    x = await f(1)\nreturn x + await g(2)",
    "unbound before the call": "if p:\n    x = 1\nreturn await g(x, await f(1))",
    "rebound by walrus": "x = 1\nreturn (x, (x := await f(x)), x, await g(x))",
    "a closure sees later values": "x = p.a\nk = lambda: x\nx = await f(1)\nreturn k()",
    "raise from": "try:\n    await f(1)\n    raise ValueError(await g(p)) from KeyError(1)\n"
    "except ValueError:\n    raise",
    "star arguments": "return await f(*p, await g(1), *q, k=p.a)",
    "method of a display": "rows = []\nrows.append(await f(1))\nreturn rows",
    "method that is missing": "rows = None\nrows.append(await f(1))",
    "await of a call of a local": "k = f\nreturn await k(p)",
    "default argument": "async def inner(a=3, *, b):\n    return await f(a, b)\n"
    "return await inner(b=p)",
    "lambda that makes a coroutine": "k = lambda n: f(n, p)\nreturn await k(q.a)",
    "slice": "p[await f(1):q.b] = q[:await g(2)]\nreturn p",
    "declared": "x: int = await f(p)\np.a: int = await f(x)\nreturn x",
}


@pytest.fixture(autouse=True)
def _quiet() -> Generator[None]:
    """Coroutines that an error leaves behind unawaited are what CPython leaves, too."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        warnings.simplefilter("ignore", SyntaxWarning)
        yield


@pytest.mark.parametrize("name", BODIES)
def test_a_form_of_the_language_does_what_cpython_does(name: str, tmp_path: Path) -> None:
    pair = Pair(BODIES[name], tmp_path)
    assert pair.unlowered == []
    for bits in BITS:
        assert_same(pair, bits, fails=12)


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    phases=(Phase.generate,),  # Shrinking takes minutes: `-m slow` does it.
    suppress_health_check=CHECKS,
)
@given(text=body(), bits=st.integers(0, 2**61), fails=st.integers(0, 6))
def test_generated_flows_do_what_cpython_does(
    tmp_path_factory: pytest.TempPathFactory, text: str, bits: int, fails: int
) -> None:
    _check_generated(text, bits, fails)


@pytest.mark.slow
def test_many_generated_flows_do_what_cpython_does() -> None:
    @settings(max_examples=5000, deadline=None, suppress_health_check=CHECKS)
    @given(text=body(), bits=st.integers(0, 2**61))
    def sweep(text: str, bits: int) -> None:
        _check_generated(text, bits, 4)

    sweep()


def _check_generated(text: str, bits: int, fails: int) -> None:
    indented = "\n".join(f"    {line}" for line in text.split("\n"))
    try:
        compile(f"async def main(p, q):\n{indented}", "case.py", "exec")
    except SyntaxError:
        return
    pair = Pair(text, Path("/nowhere"))
    # A name that nothing binds is refused, so when it is looked up does not matter.
    if any(found.code == "PDR201" for found in pair.analysis.report.diagnostics):
        return
    assert set(pair.unlowered) <= {SEVERAL}
    if not pair.unlowered:
        assert_same(pair, bits, fails)
