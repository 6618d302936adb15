"""Every refusal of the language, each beside natural code nearby that has to be accepted."""

from textwrap import indent

import pytest

from tests.frontend.sources import analyse, codes, flow_text

REFUSED = [
    # what a flow may not call
    ("PDR110", "open('x').read()", ""),
    ("PDR110", "import os\nreturn os.environ['HOME']", ""),
    ("PDR110", "time.sleep(3)", ""),
    ("PDR110", "import subprocess\nsubprocess.run(['ls'])", ""),
    ("PDR110", "from pathlib import Path\nreturn Path('x').read_text()", ""),
    ("PDR110", "import json as j\nj.load(xs)", ""),
    ("PDR110", "import secrets\nreturn secrets.token_hex()", ""),
    ("PDR110", "random.seed(1)", ""),
    ("PDR110", "return input()", ""),
    ("PDR110", "return [open(x) for x in xs]", ""),
    ("PDR110", "return list(map(open, xs))", ""),
    ("PDR110", "print('x', file=open('y'))", ""),
    ("PDR111", "return load()", "def load():\n    return open('x').read()"),
    ("PDR111", "return await load()", "async def load():\n    return open('x').read()"),
    ("PDR111", "return a()", "def a():\n    return b()\ndef b():\n    return time.sleep(1)"),
    ("PDR112", "return requests.get('x')", "import requests"),
    ("PDR135", "async with httpx.AsyncClient() as c:\n    pass", "import httpx"),
    ("PDR135", "with open('x') as f:\n    return f.read()", ""),
    ("PDR136", "return await f(1)", "from typing import TextIO\n@step\ndef f(x: TextIO): ..."),
    ("PDR144", "return missing(1)", "from texts import *"),
    ("PDR113", "add(SEEN)\nreturn await fetch(1)", "SEEN = []\ndef add(xs):\n    xs.append(1)"),
    ("PDR113", "s = SEEN\nadd(s)\nreturn 1", "SEEN = []\ndef add(xs):\n    xs.append(1)"),
    ("PDR113", "heapq.heappush(SEEN, 1)\nreturn 1", "import heapq\nSEEN = []"),
    ("PDR113", "setattr(Order, 'x', 1)\nreturn 1", "class Order: ..."),
    ("PDR206", "c = fetch(1)\nawait c\nreturn await c", ""),
    ("PDR206", "c = fetch(1)\nawait c\nif xs:\n    await c", ""),
    ("PDR216", "return await f(1)", "@step\ndef f(x: Itme): ..."),
    ("PDR217", "return await f(1)", "import os\n@step(timeout=os.environ['T'])\ndef f(x): ..."),
    ("PDR220", "__perdure__ = 1\nreturn 2", ""),
    ("PDR112", "return await xs.client.fetch(1)", ""),
    # statements and expressions
    ("PDR107", "yield 1", ""),
    ("PDR107", "for x in numbers():\n    await fetch(x)", "def numbers():\n    yield 1"),
    ("PDR133", "async for x in xs:\n    pass", ""),
    ("PDR133", "return [x async for x in xs]", ""),
    ("PDR143", "class A:\n    pass", ""),
    ("PDR146", "return sum(await price(x) for x in xs)", ""),
    # arguments of operations
    ("PDR207", "return await race(fetch(1), fetch(2))", ""),
    ("PDR207", "return await race(*[fetch(x) for x in xs])", ""),
    ("PDR207", "return await gather([fetch(1), fetch(2)])", ""),
    ("PDR207", "return await asyncio.gather(fetch(x) for x in xs)", ""),
    ("PDR207", "return await quorum(2, [fetch(x) for x in xs])", ""),
    ("PDR211", "await sleep(1e300)", ""),
    ("PDR211", "return await event('go', timeout='365001d')", ""),
    ("PDR211", "return await f(1)", "@step(timeout=-5)\ndef f(x): ..."),
    ("PDR211", "return await f(1)", "@step(timeout=0)\ndef f(x): ..."),
    ("PDR211", "return await f(1)", "@step(retry=Retry(delay=-1))\ndef f(x): ..."),
    ("PDR212", "return await f(1)", "@step(retry=Retry(attempts='3'))\ndef f(x): ..."),
    ("PDR212", "return await f(1)", "@step(retry=Retry(backoff='a'))\ndef f(x): ..."),
    ("PDR207", "return await quorum(fetch(1), fetch(2), need=2)", ""),
    ("PDR207", "return await quorum(fetch(1), fetch(2))", ""),
    ("PDR207", "return await event(timeout='3d')", ""),
    ("PDR207", "return await event('go', timeot='3d')", ""),
    ("PDR207", "await sleep()", ""),
    ("PDR207", "await sleep(1, until=datetime(2030, 1, 1))", ""),
    ("PDR207", "return await asyncio.gather(fetch(1), limit=3)", ""),
    ("PDR207", "return await asyncio.wait_for(fetch(1))", ""),
    ("PDR207", "async with asyncio.timeout():\n    await fetch(1)", ""),
    ("PDR207", "async with asyncio.TaskGroup() as g:\n    g.create_task(fetch(1), nam='x')", ""),
    # globals
    ("PDR113", "global N\nN = 1", "N = 0"),
    ("PDR113", "CACHE[1] = 2", "CACHE = {}"),
    ("PDR113", "CACHE.append(2)", "CACHE = []"),
    ("PDR113", "Item.count = 3", ""),
    ("PDR152", "return add(1)", "def add(x, seen=[]):\n    seen.append(x)\n    return seen"),
    ("PDR114", "return N", "N = 0\ndef bump():\n    global N\n    N += 1"),
    ("PDR114", "return CACHE['a']", "CACHE = {}\ndef put(x):\n    CACHE[x] = 1"),
    ("PDR114", "return await T['a'](1)", "T = {'a': fetch}\ndef add(f):\n    T['b'] = f"),
    ("PDR114", "return MODEL", "import os\nMODEL = os.environ.get('MODEL', 'x')"),
    ("PDR114", "return client", "import httpx\nclient = httpx.Client()"),
    ("PDR114", "return STARTED", "STARTED = datetime.now()"),
    ("PDR114", "return ITEM.name", "ITEM = Item('a')"),
    # sets, identity, text
    ("PDR115", "for x in {1, 2}:\n    await fetch(x)", ""),
    ("PDR115", "names = set(xs)\nreturn [n for n in names]", ""),
    ("PDR115", "return list(set(xs))", ""),
    ("PDR115", "return ','.join({str(x) for x in xs})", ""),
    ("PDR115", "return f'{set(xs)}'", ""),
    ("PDR115", "return [t for t in item.tags]", ""),
    ("PDR115", "a, b = set(xs)", ""),
    ("PDR115", "return set(xs).pop()", ""),
    ("PDR115", "return {x: 1 for x in set(xs)}", ""),
    ("PDR115", "return await gather(*[fetch(x) for x in set(xs)])", ""),
    ("PDR115", "return max(set(xs), key=xs.count)", ""),
    ("PDR116", "return hash('x')", ""),
    ("PDR117", "return id(xs)", ""),
    ("PDR118", "return str(Plain())", ""),
    ("PDR118", "p = Plain()\nreturn f'{p}'", ""),
    ("PDR118", "print(fetch)", ""),
    ("PDR115", "return [x for x in mk()]", "def mk():\n    return {'b', 'a'}"),
    ("PDR115", "return list(await mk())", "async def mk():\n    return {'b', 'a'}"),
    ("PDR115", "mk = lambda: {'b', 'a'}\nreturn list(mk())", ""),
    ("PDR115", "d = {'a': 1}\nreturn list(d.keys() & {'a', 'b'})", ""),
    ("PDR115", "return [x for x in xs[0].keys() - xs[1].keys()]", ""),
    ("PDR115", "return tolist({'a', 'b'})", "def tolist(x):\n    return list(x)"),
    (
        "PDR115",
        "return outer(x={'a', 'b'})",
        "def outer(x):\n    return inner(x)\ndef inner(y):\n    return ','.join(y)",
    ),
    ("PDR118", "return repr(lambda: 1)", ""),
    ("PDR118", "return list(map(str, [Plain(), 1]))", ""),
    ("PDR118", "return str([1, Plain()])", ""),
    ("PDR119", "await fetch(1)\nreturn xs is item", ""),
    (
        "PDR120",
        "try:\n    await fetch(1)\nexcept ValueError as e:\n    return str(e.__cause__)",
        "",
    ),
    ("PDR120", "try:\n    pass\nexcept ValueError as e:\n    return e.__traceback__", ""),
    ("PDR120", "import sys\nreturn str(sys.exc_info())", ""),
    ("PDR121", "return f(1)", "def f(n):\n    return f(n + 1)"),
    ("PDR121", "return f(1)", "def f(n):\n    n += [x for x in f(n)]\n    return n or 1"),
    ("PDR121", "return f(1)", "def f(n):\n    if n:\n        return f(1)\n    return 1 + f(2)"),
    ("PDR150", "async with asyncio.Semaphore(3):\n    return await fetch(1)", ""),
    (
        "PDR150",
        "sem = asyncio.Semaphore(3)\nasync def one(x):\n    y = await fetch(x)\n"
        "    async with sem:\n        return await fetch(y)\n"
        "return await gather(*[one(x) for x in xs])",
        "",
    ),
    (
        "PDR150",
        "sem = asyncio.Semaphore(3)\nasync def one(x):\n    async with sem:\n"
        "        return await fetch(x)\nasync def two(x):\n    return await one(await fetch(x))\n"
        "return await gather(*[two(x) for x in xs])",
        "",
    ),
    # threads and asyncio
    ("PDR122", "import threading\nthreading.Thread(target=print).start()", ""),
    ("PDR122", "return await asyncio.to_thread(len, xs)", ""),
    ("PDR127", "t = asyncio.create_task(fetch(1))\nreturn await t", ""),
    ("PDR128", "for c in asyncio.as_completed([fetch(1)]):\n    await c", ""),
    ("PDR129", "return await asyncio.wait([fetch(1)])", ""),
    ("PDR130", "return await asyncio.shield(fetch(1))", ""),
    ("PDR131", "q = asyncio.Queue()\nreturn 1", ""),
    ("PDR132", "lock = asyncio.Lock()\nasync with lock:\n    pass", ""),
    ("PDR134", "return asyncio.get_event_loop()", ""),
    ("PDR142", "return eval('1')", ""),
    ("PDR145", "from functools import partial\nf = partial(sleep, 5)\nawait f()", ""),
    ("PDR147", "return await child.run('a').result()", "@flow\nasync def child(n: int): ..."),
    ("PDR145", "return sorted(xs, key=fetch)", ""),
    # iterators across operations
    ("PDR126", "for x in (y for y in xs):\n    await fetch(x)", ""),
    ("PDR126", "for x in map(str, xs):\n    await fetch(x)", ""),
    ("PDR126", "import itertools\nfor x in itertools.chain(xs, xs):\n    await fetch(x)", ""),
    ("PDR126", "it = iter(xs)\nawait fetch(next(it))\nreturn next(it)", ""),
    ("PDR126", "pairs = zip(xs, xs)\nawait fetch(1)\nreturn list(pairs)", ""),
    ("PDR126", "it = iter(xs)\nfor x in xs:\n    await fetch(next(it))", ""),
    # coroutines
    ("PDR204", "fetch(1)", ""),
    ("PDR204", "x = fetch(1)\nreturn 2", ""),
    ("PDR204", "return fetch(1)", ""),
    ("PDR204", "return len(fetch(1))", ""),
    ("PDR204", "x = fetch(1)\nreturn x['a']", ""),
    ("PDR204", "return fetch(1) + 'a'", ""),
    ("PDR204", "if fetch(1):\n    pass", ""),
    ("PDR204", "sleep(5)", ""),
    ("PDR204", "return f'{fetch(1)}'", ""),
    ("PDR204", "gather(fetch(1), fetch(2))", ""),
    ("PDR205", "return await len(xs)", ""),
    ("PDR205", "return await [fetch(1)]", ""),
    # arguments and literals
    ("PDR207", "return await fetch()", ""),
    ("PDR207", "return await fetch(1, 2)", ""),
    ("PDR207", "return await fetch(y=1)", ""),
    ("PDR207", "return await price(item, quick=True)", ""),
    ("PDR207", "return await child(1, 2)", "@flow\nasync def child(n: int): ..."),
    ("PDR207", "h = await child.start(m=1)", "@flow\nasync def child(n: int): ..."),
    ("PDR208", "return await f(1)", "@step(retries=3)\ndef f(x): ..."),
    (
        "PDR209",
        "await f(1)\nawait g(1)",
        "@step(name='a')\ndef f(x): ...\n@step(name='a')\ndef g(x): ...",
    ),
    ("PDR211", "await sleep('soon')", ""),
    ("PDR211", "await event('a', timeout='3 days')", ""),
    ("PDR211", "return await f(1)", "@step(timeout='5 min')\ndef f(x): ..."),
    ("PDR212", "return await f(1)", "@step(retry=0)\ndef f(x): ..."),
    ("PDR212", "return await f(1)", "@step(retry=Retry(attempts=0))\ndef f(x): ..."),
    ("PDR212", "return await f(1)", "@step(retry=Retry(times=3))\ndef f(x): ..."),
    ("PDR213", "await event('Order Approved')", ""),
    ("PDR213", "await event(f'ok:{1}')", ""),
    ("PDR213", "await event(f'1{1}')", ""),
    ("PDR213", "await event(f'')", ""),
    ("PDR212", "return await fetch.options(retry=0)(1)", ""),
    ("PDR212", "return await fetch.options(retry=Retry(attempts=0))(1)", ""),
    ("PDR211", "return await fetch.options(timeout='5 min')(1)", ""),
    ("PDR218", "return 1", "@flow\nasync def other(*args): ..."),
    ("PDR219", "@step\ndef inner(x): ...\nreturn await inner(1)", ""),
    ("PDR125", "return await f(1)", "def deco(f): return f\n@deco\nasync def f(x):\n    return x"),
    (
        "PDR137",
        "return await f(1)",
        "from pydantic import SecretStr\n@step\ndef f(x: SecretStr): ...",
    ),
    ("PDR137", "return await fetch(SecretStr('a'))", "from pydantic import SecretStr"),
    ("PDR137", "key = SecretStr('a')\nreturn await fetch(1)", "from pydantic import SecretStr"),
    ("PDR137", "key = perdure.secret('KEY').value\nreturn await fetch(1)", "import perdure"),
    ("PDR137", "return await fetch(KEY.value)", "from perdure import secret\nKEY = secret('KEY')"),
    ("PDR110", "return perdure.approval_link('ok', 1)", "import perdure"),
    ("PDR148", "return stamp()", "def stamp(t=datetime.now()):\n    return t.year"),
    ("PDR148", "return stamp()", "def stamp(*, t=time.time()):\n    return t"),
    ("PDR148", "return home()", "import os\ndef home(t=os.environ['HOME']):\n    return t"),
    (
        "PDR149",
        "return g()",
        "import functools\n@functools.cache\ndef g():\n    return time.time()",
    ),
    (
        "PDR149",
        "return g()",
        "from functools import lru_cache\n@lru_cache(maxsize=1)\ndef g():\n    return h()\n"
        "def h():\n    return random.random()",
    ),
    ("PDR149", "return await f(1)", "import functools\n@functools.cache\n@step\ndef f(x): ..."),
    ("PDR201", "return missing", ""),
    ("PDR201", "return undefined_function(1)", ""),
    ("PDR201", "return json.dumps(nothing)", ""),
]

BRANCHES = [
    (
        "PDR139",
        "held = {'k': xs}\nasync def one(at):\n    at['k'].append(await fetch(1))\n"
        "await gather(one(held), fetch(2))\nreturn xs",
    ),
    (
        "PDR139",
        "held = [x for x in xs]\nasync def one(at):\n    at[0].n = await fetch(1)\n"
        "await gather(one(held), fetch(2))\nreturn xs",
    ),
    (
        "PDR139",
        "async def one(i):\n    heapq.heappush(xs, await fetch(i))\n"
        "import heapq\nawait gather(one(1), one(2))\nreturn xs",
    ),
    (
        "PDR139",
        """
        results = []
        async def one(x):
            results.append(await fetch(x))
        await gather(*map(one, xs))
        return results
        """,
    ),
    (
        "PDR139",
        """
        results = []
        async def one(x):
            results.append(await fetch(x))
        await gather(*[one(x) for x in xs])
        return results
        """,
    ),
    (
        "PDR138",
        """
        count = 0
        async def one(x):
            nonlocal count
            count += 1
            await fetch(x)
        await gather(one(1), one(2))
        return count
        """,
    ),
    (
        "PDR139",
        """
        seen = {}
        async def one(x):
            seen[x] = await fetch(x)
        async with asyncio.TaskGroup() as group:
            for x in xs:
                group.create_task(one(x))
        return seen
        """,
    ),
    (
        "PDR139",
        """
        async def one(entry):
            entry.price = await price(entry)
        await gather(*[one(x) for x in xs])
        return xs
        """,
    ),
    (
        "PDR123",
        """
        async def one():
            try:
                return await fetch(1)
            except:
                return None
        return await race(a=one(), b=sleep(5))
        """,
    ),
    (
        "PDR123",
        """
        async def one():
            try:
                return await fetch(1)
            except BaseException:
                return None
        return await race(a=one(), b=sleep(5))
        """,
    ),
    (
        "PDR124",
        """
        async def one():
            try:
                return await fetch(1)
            finally:
                await fetch(2)
        return await race(a=one(), b=sleep(5))
        """,
    ),
    (
        "PDR124",
        """
        from contextlib import asynccontextmanager
        @asynccontextmanager
        async def held():
            try:
                yield 1
            finally:
                await fetch(2)
        async def one():
            async with held():
                await fetch(1)
        return await race(a=one(), b=sleep(5))
        """,
    ),
    (
        "PDR124",
        """
        async def one():
            try:
                return await fetch(1)
            finally:
                await fetch(2)
        async with asyncio.TaskGroup() as group:
            group.create_task(one())
        """,
    ),
]

ACCEPTED = [
    ("todo = [fetch(x) for x in xs]\nwhile todo:\n    await todo.pop()", ""),
    ("todo = {x: fetch(x) for x in xs}\nreturn await todo.get('a')", ""),
    ("return f(3)", "def f(n):\n    return 1 if n < 2 else n * f(n - 1)"),
    ("return f(xs)", "def f(t):\n    return 1 + sum(f(part) for part in t)"),
    ("return f(xs)", "def f(t):\n    if not t:\n        return 0\n    return f(t[1:])"),
    ("return even(9)", "def even(n): return n == 0 or odd(n - 1)\ndef odd(n): return even(n - 1)"),
    (
        "s = Shape()\nreturn f'{s.area} {s.name}'",
        "class Shape:\n    @property\n    def area(self): return 3\n"
        "    @property\n    def name(self) -> str: return 'x'",
    ),
    (
        "return await go(1)",
        "class W:\n    async def go(self, x): return x\ngo = step(W().go)",
    ),
    ("ys = [*xs]\nadd(ys)\nreturn ys", "def add(xs):\n    xs.append(1)"),
    ("setattr(xs[0], 'x', 1)\nheapq.heappush(xs, 1)\nreturn xs", "import heapq"),
    # pure code
    ("return json.dumps({'a': [1]})", ""),
    ("return json.loads(xs)['a'].strip().split(',')", ""),
    ("import re\nreturn [m.group(1) for m in re.finditer('a', 'b')]", ""),
    ("from pathlib import Path\nreturn Path('x').suffix", ""),
    ("from urllib.parse import urlparse, quote\nreturn urlparse(quote('x')).path", ""),
    ("import hashlib\nreturn hashlib.sha256(b'x').hexdigest()", ""),
    ("import emoji\nreturn emoji.emojize('x')", ""),
    ("import os.path\nreturn os.path.join('a', 'b')", ""),
    ("return datetime.now(UTC) + timedelta(days=1)", ""),
    ("return time.strftime('%Y'), time.gmtime().tm_year, time.localtime(), time.ctime()", ""),
    ("return time.strftime('%Y', time.gmtime(0)), time.asctime(), time.localtime(3)", ""),
    ("import sys\nprint('z', file=sys.stderr)\nprint('y', file=sys.stdout, flush=True)", ""),
    ("await race()", ""),
    ("await gather(fetch(1), limit=0)", ""),
    ("return await fetch.options(retry=1, timeout='5m')(1)", ""),
    ("return list(mk())", "def mk():\n    return ['b', 'a']"),
    ("return sorted(mk()), 'a' in mk()", "def mk():\n    return {'b', 'a'}"),
    ("d = {'a': 1}\nreturn sorted(d.keys() & {'a', 'b'}), list(d.keys())", ""),
    ("return tolist(['a']), count({'a'})", "def tolist(x):\n    return list(x)\ncount = len"),
    ("return tolist({'a', 'b'})", "def tolist(x):\n    return sorted(x)"),
    (
        "return tolist({'a', 'b'})",
        "def tolist(x):\n    if isinstance(x, set):\n        return sorted(x)\n    return list(x)",
    ),
    ("return list(map(str, [item, 1])), str([1, item])", ""),
    ("return await fetch(str(SecretStr))", "from pydantic import SecretStr"),
    (
        "return stamp()",
        "def stamp(t=None, d=timedelta(days=1), i=Item('a'), s=frozenset(), *, k=Kind.BUG):\n"
        "    return t or datetime.now()",
    ),
    ("return time.time(), time.monotonic(), random.choice(xs), random.randint(1, 6)", ""),
    ("import uuid\nreturn str(uuid.uuid4())", ""),
    ("return random.Random(3).random()", ""),
    ("log.info('x')\nlogging.warning('y')\nprint('z')", ""),
    ("try:\n    pass\nexcept ValueError:\n    log.exception('x')", ""),
    ("return sorted(xs, key=lambda x: x.price)[0]", ""),
    ("raise httpx.HTTPStatusError('x')", "import httpx"),
    ("try:\n    await fetch(1)\nexcept httpx.HTTPError as e:\n    return str(e)", "import httpx"),
    ("return cost(xs)", "def cost(xs):\n    return sum(x.price for x in xs)"),
    ("return Item('a', 1.0)", ""),
    ("return isinstance(item, Item) and type(item).__name__", ""),
    ("return item.name.upper().encode().decode()", ""),
    ("await asyncio.sleep(0)", ""),
    (
        "with open_nothing() as x:\n    return x",
        "from contextlib import contextmanager\n@contextmanager\ndef open_nothing():\n    yield 1",
    ),
    ("from contextlib import suppress\nwith suppress(ValueError):\n    await fetch(1)", ""),
    (
        "sem = asyncio.Semaphore(3)\nasync def one(x):\n    async with sem:\n"
        "        return await fetch(x)\n"
        "return await gather(*[one(x) for x in xs])",
        "",
    ),
    # globals
    ("return N + len(NAMES) + LIMITS['a']", "N = 3\nNAMES = ('a', 'b')\nLIMITS = {'a': N * 2}"),
    (
        "return DELAY, POLICY, KIND",
        "DELAY = timedelta(days=3)\nPOLICY = Retry(attempts=2)\nKIND = Kind.BUG",
    ),
    ("return PATTERN.match('x')", "import re\nPATTERN = re.compile('a')"),
    (
        "return CONFIG.name",
        "@dataclass(frozen=True)\nclass Config:\n    name: str = 'a'\nCONFIG = Config()",
    ),
    ("return [m for m in MODELS]", "MODELS = ['a', 'b']"),
    ("return NAMES[0]", "NAMES = 'a b c'.split()"),
    ("CACHE = {}\nCACHE['a'] = 1\nreturn CACHE", "CACHE = {}"),
    ("return PROMPT.format(x=1)", "PROMPT = 'x ' + '{x}'"),
    ("return __name__", ""),
    ("return tools['a']", "tools = {'a': 1}\ndef f():\n    tools = {}\n    tools['b'] = 1"),
    ("return SQUARES[1]", "SQUARES = {n: n * n for n in range(3)}"),
    (
        "return add(1)",
        "def add(x, seen=None):\n    seen = seen or []\n    seen.append(x)\n    return seen",
    ),
    # sets
    ("for x in sorted({1, 2}):\n    await fetch(x)", ""),
    ("names = {x for x in xs}\nreturn 'a' in names and len(names)", ""),
    ("return sorted(set(xs) - {1}), max(set(xs)), {x + 1 for x in set(xs)}", ""),
    ("return any(x for x in {1, 2}), sum([x for x in {1, 2}])", ""),
    ("seen = set()\nseen.add(1)\nreturn 1 in seen", ""),
    ("return ','.join(sorted(item.tags))", ""),
    # identity and text
    ("await fetch(1)\nreturn item is None or item is not None", ""),
    ("await fetch(1)\nreturn item.kind is Kind.BUG", ""),
    ("return xs is item", ""),
    ("return f'{item} {xs!r} {item.name:>10}', str(item), repr(xs)", ""),
    (
        "try:\n    await fetch(1)\nexcept ValueError as e:\n"
        "    return e.args, str(e), type(e).__name__",
        "",
    ),
    ("try:\n    pass\nexcept ValueError as e:\n    raise RuntimeError('x') from e", ""),
    ("return depth(xs)", "def depth(n):\n    return 1 + max([depth(c) for c in n], default=0)"),
    ("return fact(3)", "def fact(n):\n    return 1 if n < 2 else n * fact(n - 1)"),
    # iteration
    ("for i, x in enumerate(xs):\n    await fetch(x)", ""),
    ("for x, y in zip(xs, reversed(xs)):\n    await fetch(x)", ""),
    ("for x in range(3):\n    await fetch(x)", ""),
    ("for k, v in {}.items():\n    await fetch(k)", ""),
    ("import itertools\nfor n in itertools.count():\n    await fetch(n)", ""),
    ("for x in list(map(str, xs)):\n    await fetch(x)", ""),
    ("for x in (y for y in xs):\n    item.name += x", ""),
    ("it = iter(xs)\na = next(it)\nb = next(it)\nawait fetch(a)", ""),
    ("for x in [await fetch(1)]:\n    pass", ""),
    ("for line in xs.splitlines():\n    await fetch(line)", ""),
    ("for x in await fetch(1):\n    await fetch(x)", ""),
    # coroutines as values
    ("c = fetch(1)\nreturn await c", ""),
    ("coros = [fetch(x) for x in xs]\nreturn await gather(*coros)", ""),
    (
        "coros = []\nfor x in xs:\n    coros.append(fetch(x))\nreturn await asyncio.gather(*coros)",
        "",
    ),
    ("calls = {x: fetch(x) for x in xs}\nreturn await race(**calls)", ""),
    ("a, b = fetch(1), fetch(2)\nreturn await gather(a, b)", ""),
    ("c = fetch(1) if xs else fetch(2)\nreturn await c", ""),
    ("c = fetch(1)\nif xs:\n    return await c\nreturn await c", ""),
    (
        "return await f(1)",
        "T = timedelta(minutes=1)\n@step(timeout=T)\ndef f[A](x: A) -> 'A | None': ...",
    ),
    ("return await (fetch(1) if xs else price(item))", ""),
    ("return await gather(*(fetch(x) for x in xs))", ""),
    ("return [await fetch(x) for x in xs if await fetch(x)]", ""),
    ("make = lambda x: fetch(x)\nreturn await make(1)", ""),
    ("return await start(1)", "def start(x):\n    return fetch(x)"),
    ("undo = []\nundo.append(lambda: fetch(1))\nfor u in reversed(undo):\n    await u()", ""),
    (
        "return await both(fetch, price, item)",
        "async def both(f, g, x):\n    return await f(x), await g(x)",
    ),
    ("async with asyncio.timeout(5):\n    await fetch(1)", ""),
    ("return await asyncio.wait_for(fetch(1), 5)", ""),
    (
        "async with asyncio.TaskGroup() as tg:\n"
        "    t = tg.create_task(fetch(1))\nreturn t.result()",
        "",
    ),
    ("return await quorum(2, *[fetch(x) for x in xs])", ""),
    (
        "r = await gather(*[fetch(x) for x in xs], return_exceptions=True)\n"
        "return [x for x in r if not isinstance(x, BaseException)]",
        "",
    ),
    # arguments
    ("return await fetch(x=1)", ""),
    ("return await price(item, fast=True), await price(**xs), await price(*xs)", ""),
    ("return await price.options(timeout='5m', retry=Retry(attempts=2))(item)", ""),
    (
        "h = await child.start(n=1, id='a')\nawait h.send('go', 1)\nreturn await h.cancel()",
        "@flow\nasync def child(n: int): ...",
    ),
    ("return await child()", "@flow(retry=3)\nasync def child(n: int = 3):\n    return n"),
    ("return await TOOLS['a'](1)", "TOOLS = {'a': fetch, 'b': price}"),
    (
        "tool = TOOLS.get(item.name)\nif tool is None:\n    return 1\nreturn await tool(1)",
        "TOOLS = {'a': fetch, 'b': price}",
    ),
    (
        "for tool in PIPELINE:\n    item = await tool(item)\nreturn item",
        "PIPELINE = [fetch, price]",
    ),
    (
        "await sleep('1h30m')\nawait sleep(timedelta(days=1))\n"
        "await sleep(until=datetime.now(UTC))",
        "",
    ),
    ("await event('order_approved', Item, timeout='3d')\nawait event(f'e_{item.name}')", ""),
    ("await reply('message', 1)\nawait progress({'a': 1})", ""),
    (
        "return await f(1)",
        "@step(retry=None, timeout=timedelta(minutes=2), group='a')\ndef f(x): ...",
    ),
    (
        "return await f(1)",
        "import functools\n@functools.lru_cache\ndef g(x): return x\n"
        "async def f(x):\n    return g(x)",
    ),
    ("return fetched", "fetched = 3"),
    ("from functools import partial\nf = partial(fetch, 1)\nreturn await f()", ""),
    (
        "match item:\n    case Item(name=n) if n:\n        return n\n"
        "    case {'a': 1, **rest}:\n        return rest\n"
        "    case [1, *others]:\n        return others\n    case _:\n        return None",
        "",
    ),
    ("if (n := len(xs)) > 3:\n    return n\nys = [y for x in xs if (y := x)]\nreturn y, ys", ""),
    ("del xs[0]\nxs[1:] = [1]\nitem.price += 1\nxs.append(3)", ""),
    (
        "def inner(a, *b, c=1, **d):\n    nonlocal xs\n    xs = [a]\n"
        "    return b, c, d\nreturn inner(1)",
        "",
    ),
    ("try:\n    await fetch(1)\nexcept* ValueError as group:\n    n = len(group.exceptions)", ""),
    ("assert xs, 'empty'\nreturn xs[-1] if xs else None", ""),
    (
        "return await loop(3)",
        "async def loop(n):\n    if n:\n        await fetch(n)\n        await loop(n - 1)",
    ),
    ("return await main(xs[1:], item)", ""),
]

COPIES = [
    "acc = list(acc)\nacc.append(n)\nreturn acc",
    "mine = [*acc]\nmine.append(n)\nreturn mine",
    "mine = acc[:]\nmine += [n]\nreturn mine",
    "mine = sorted(acc)\nmine.append(n)\nreturn mine",
    "mine = [x for x in acc]\nmine.append(n)\nreturn mine",
    "mine = acc.copy()\nmine[0] = n\nreturn mine",
    "mine = acc + [n]\nmine.sort()\nreturn mine",
    "mine = dict(enumerate(acc))\nmine.update({9: n})\nreturn mine",
    "mine = {'l': acc}\nmine['z'] = n\nreturn mine",
    "first, *rest = acc\nrest.append(n)\nreturn rest",
    "mine = copy.deepcopy(acc)\nmine[0].price = n\nreturn mine",
    "mine = []\nfor x in acc:\n    mine.append(x)\nreturn mine",
    "mine = replace(acc[0])\nmine.price = n\nreturn mine",
    "mine = fresh(acc)\nmine.append(n)\nreturn mine",
]
"""What a branch does with a copy of what it is given."""
ORIGINALS = [
    "it = max(acc, key=lambda i: i.price)\nit.price = n",
    "it = first(acc)\nit.price = n",
    "mine = acc + []\nmine[0].price = n",
    "mine = list(acc)\nmine[0].price = n",
    "a, *rest = acc\na.price = n",
    "a, *rest = acc\nrest[0].price = n",
    "mine = {'l': acc}\nmine['l'].append(n)",
    "mine = []\nmine.append(acc)\nmine[0].append(n)",
    "mine = acc if n else []\nmine.append(n)",
    "if n:\n    acc = list(acc)\nacc.append(n)",
    "for i, it in enumerate(acc):\n    it.price = n",
    "[it.tags.add(n) for it in acc]",
    "next(iter(acc)).price = n",
    "def bump():\n    acc[0].price = n\nbump()",
    "sorted(acc, key=lambda it: it.tags.add(1) or 1)",
    "mine = fresh(acc)\nmine[0].price = n",
    "random.choice(acc).price = n",
    "acc += [n]",
]
"""What a branch does with what it is given itself, or with a part of it."""
FUNCTIONS = """
import copy
from dataclasses import replace
def first(items):
    return items[0]
def fresh(items):
    return [item for item in items if item]
"""

BRANCHES_ACCEPTED = [
    """
    async def one(entry):
        entry.price = await price(entry)
    for x in xs:
        await gather(one(x), fetch(1))
    return 1
    """,
    """
    kept = []
    async def one(acc):
        acc.append(await fetch(1))
        return acc
    kept = await gather(one([1]), one(list(kept)))
    return kept
    """,
    """
    async def one(x):
        found = []
        found.append(await fetch(x))
        return found
    return await gather(*[one(x) for x in xs])
    """,
    """
    async def one(entry):
        entry.price = await price(entry)
        return entry
    xs = await gather(*[one(x) for x in xs])
    return xs
    """,
    """
    async def one(entry):
        entry.price = await price(entry)
    for x in xs:
        await one(x)
    return xs
    """,
    """
    results = []
    async def one(x):
        results.append(await fetch(x))
    for x in xs:
        await one(x)
    return results
    """,
    """
    limit = 3
    async def one(x):
        return (await fetch(x))[:limit]
    return await gather(*[one(x) for x in xs]), limit
    """,
    """
    async def one():
        try:
            return await fetch(1)
        except Exception:
            return None
        finally:
            log.info("done")
    return await race(a=one(), b=sleep(5))
    """,
    """
    async def one():
        try:
            return await fetch(1)
        finally:
            await fetch(2)
    return await gather(one(), one())
    """,
    """
    try:
        return await race(a=fetch(1), b=sleep(5))
    except BaseException:
        await fetch(2)
        raise
    finally:
        await fetch(3)
    """,
]


@pytest.mark.parametrize(("code", "body", "before"), REFUSED)
def test_it_is_refused(code: str, body: str, before: str) -> None:
    found = (
        codes(flow_text(body, before))
        if code != "PDR218"
        else codes(flow_text("return await other()", before))
    )
    assert code in found
    assert set(found) == {code}


@pytest.mark.parametrize(("code", "body"), BRANCHES)
def test_what_branches_share_is_refused(code: str, body: str) -> None:
    assert set(codes(flow_text(body))) == {code}


def _with_branch(body: str) -> str:
    branch = f"async def one(acc, n):\n{indent(body, '    ')}\n"
    return flow_text("await gather(one(xs, 1), one(xs, 2))\nreturn xs", FUNCTIONS + branch)


@pytest.mark.parametrize("body", COPIES)
def test_a_branch_may_change_a_copy(body: str) -> None:
    report = analyse(_with_branch(body)).report
    assert [(found.code, found.message) for found in report.diagnostics] == []


@pytest.mark.parametrize("body", ORIGINALS)
def test_a_branch_must_not_change_what_it_shares(body: str) -> None:
    assert set(codes(_with_branch(body))) == {"PDR139"}


@pytest.mark.parametrize("body", ORIGINALS)
def test_a_flow_must_not_change_what_its_caller_uses(body: str) -> None:
    child = f"@flow\nasync def child(acc: list, n: int):\n{indent(body, '    ')}\n"
    text = flow_text("await child(xs, 1)\nreturn xs", FUNCTIONS + child)
    assert set(codes(text)) == {"PDR140"}


@pytest.mark.parametrize(
    ("annotation", "change", "copy"),
    [
        ("list[int]", "acc.append(1)", "list(acc)"),
        ("dict[str, int]", "acc['a'] = 1", "dict(acc)"),
        ("dict[str, list]", "acc['a'].append(1)", "copy.deepcopy(acc)"),
        ("Item", "acc.name = ''", "copy.copy(acc)"),
        ("Item", "acc.tags.add('')", "copy.deepcopy(acc)"),
        ("object", "acc.n = 1", "copy.deepcopy(acc)"),
    ],
)
def test_the_copy_fits_the_type(annotation: str, change: str, copy: str) -> None:
    branch = f"async def one(acc: {annotation}):\n    {change}\n"
    text = flow_text("await gather(one(xs), one(xs))\nreturn xs", branch)
    (found,) = analyse(text).report.diagnostics
    assert found.help == f"copy it inside the branch (`acc = {copy}`), and return the copy"


def test_the_copy_that_the_help_shows_is_accepted() -> None:
    branch = (
        "async def one(acc: Item):\n    acc = copy.copy(acc)\n    acc.name = ''\n    return acc"
    )
    text = flow_text("a = await gather(one(item), one(item))\nreturn a, item", FUNCTIONS + branch)
    assert analyse(text).report.ok


@pytest.mark.parametrize(
    ("body", "before", "code"),
    [
        ("return now()", "def now(clock=time.time):\n    return clock()", "PDR151"),
        ("return now()", "def now(clock=lambda: time.time()):\n    return clock()", "PDR151"),
        ("return now()", "def now(*, roll=random.random):\n    return roll()", "PDR151"),
        ("return CLOCKS['a'][0]()", "CLOCKS = {'a': (time.time, 1)}", "PDR151"),
        (
            "return NOW()",
            "import functools\nNOW = functools.partial(datetime.now, UTC)",
            "PDR151",
        ),
        ("return FILES['a'][0]()", "FILES = {'a': (lambda: open('x'), 1)}", "PDR110"),
        ("return put(1)", "def put(x, seen=[]):\n    seen.append(x)\n    return seen", "PDR152"),
        (
            "def put(x, seen={}):\n    seen[x] = 1\n    return seen\nreturn put(1)",
            "",
            "PDR152",
        ),
        ("return await ask(1)", "@step\nasync def ask(x: 'Nope') -> None: ...", "PDR216"),
        ("return await ask(1)", "@step\nasync def ask(x: 'list[Nope]') -> None: ...", "PDR216"),
    ],
)
def test_what_is_made_once_is_refused(body: str, before: str, code: str) -> None:
    assert set(codes(flow_text(body, before))) == {code}


@pytest.mark.parametrize(
    "body", ["f = time.time\nreturn f()", "return sorted(xs, key=lambda x: random.random())"]
)
def test_a_clock_held_in_the_flow_is_recorded(body: str) -> None:
    assert analyse(flow_text(body)).report.ok


def test_a_step_of_a_class_is_said_once() -> None:
    before = "class Agent:\n    @step\n    async def think(self, q: str) -> str: ..."
    assert codes(flow_text("agent = Agent()\nreturn await agent.think('q')", before)) == ["PDR219"]


def test_async_for_in_a_comprehension_is_marked_at_its_words() -> None:
    text = flow_text("return [x async for x in xs]")
    (found,) = analyse(text).report.diagnostics
    assert found.span is not None
    line = text.splitlines()[found.span.line - 1]
    assert line[found.span.column : found.span.end_column] == "async for"


def test_a_function_that_changes_what_is_around_it_is_no_argument_of_a_branch() -> None:
    body = """
    async def one(f):
        f()
        return await fetch(item.price)
    def bump():
        item.price += 1
    await gather(one(bump), one(bump))
    return item
    """
    assert set(codes(flow_text(body))) == {"PDR139"}


@pytest.mark.parametrize(("body", "before"), ACCEPTED)
def test_natural_code_is_accepted(body: str, before: str) -> None:
    report = analyse(flow_text(body, before)).report
    assert [(found.code, found.message) for found in report.diagnostics] == []


@pytest.mark.parametrize("body", BRANCHES_ACCEPTED)
def test_branches_that_share_nothing_are_accepted(body: str) -> None:
    report = analyse(flow_text(body)).report
    assert [(found.code, found.message) for found in report.diagnostics] == []


def test_all_problems_are_found_at_once_in_source_order() -> None:
    text = flow_text("open('x')\nhash('y')\nreturn await load()", "async def load():\n    input()")
    assert codes(text) == ["PDR111", "PDR110", "PDR116"]


def test_a_helper_is_told_where_step_goes() -> None:
    text = flow_text("return load()", "def load():\n    return open('x')")
    (found,) = analyse(text).report.diagnostics
    line = text[: text.index("def load")].count("\n") + 1
    assert found.help == f"add `@step` above line {line}"


def test_other_flows_of_the_file_must_not_keep_it_from_being_imported() -> None:
    assert codes(flow_text("return 1", "@flow\ndef other(): ...")) == ["PDR109"]
    text = flow_text("return 1", "@flow\nasync def other():\n    yield 1\n    return 2")
    assert codes(text) == ["PDR107"]


def test_names_of_perdure_may_come_by_a_star_import() -> None:
    text = (
        "from perdure import *\n@step\nasync def s() -> int: ...\n"
        "@flow\nasync def main() -> int:\n    await sleep(1)\n    return await s()\n"
    )
    assert codes(text) == []
