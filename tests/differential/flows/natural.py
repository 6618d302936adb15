"""Programs as people write them: awkward, natural, valid. All are accepted but few.

Bodies of a flow over the header of `harness`, between lines of `===`; the second list has its own
helpers.
"""

from dataclasses import replace

from tests.differential.harness import Program

__all__ = ["NATURAL"]

_BODIES = r'''
n = 0
while (x := await inc(n)) < 4:
    n = x
return n, x
===
return 0 < await inc(0) <= await inc(1) < 5, not await a(0) or await a(2)
===
return [[await inc(y) for y in range(x) if await a(y)] for x in [1, 2, 3] if await a(x)]
===
async def kind(it: Item) -> str:
    match it:
        case Item(name="x", count=c) if await a(c) > 2:
            return f"many {c}"
        case Item(name=str(n), count=0 | 1):
            return n
        case _:
            return "else"
return [await kind(i) for i in (Item("x", 3), Item("x", 1), Item("y", 9))]
===
async def f():
    try:
        return await a(1)
    finally:
        await a(2)
return await f()
===
out = []
for e in ["key", "zero", "os"]:
    with suppress(KeyError, ZeroDivisionError):
        try:
            await boom(e)
        except OSError as err:
            out.append((type(err).__name__, err.errno))
        else:
            out.append("no")
        finally:
            out.append(await a(e))
return out
===
for x in [1, 3, 5]:
    if await a(x) % 2 == 0:
        break
else:
    x = await a("none")
return x
===
d = {"a": 1, "b": await a(2)}
del d["a"]
d["c"] = d.pop("b") + await inc(1)
return d
===
it = Item("n")
it.count += await inc(1)
it.tags.append(await a("t"))
it.tags[0] += "!"
return it
===
args, kw = [1], {"k": 2}
return await a(*args, **kw), await a(*[await inc(1)], **{"k": await a(3)})
===
fs = []
for x in [1, 2, 3]:
    fs.append(lambda x=x: x * 2)
gs = [lambda: x for x in [1, 2]]
await a(1)
return [f() for f in fs], [g() for g in gs]
===
total = 0
def add(v):
    nonlocal total
    total += v
    return total
for v in [1, 2]:
    add(await inc(v))
return total
===
w = 8
return f"{await a('x'):>{await a(w)}}|{(await a(3)):.2f}|{w!r:<4}|{await a([1])!s}"
===
try:
    await gather(boom("key"), boom("zero"))
except* KeyError as eg:
    pass
except* ZeroDivisionError:
    pass
===
try:
    async with asyncio.TaskGroup() as g:
        g.create_task(boom("key"))
        g.create_task(boom("zero"))
except* KeyError as eg:
    r = [str(e) for e in eg.exceptions]
except* ZeroDivisionError as eg:
    r = "z"
return r
===
x, (y, *z) = await a((1, (2, 3, 4)))
x, y = y, x
z[0], z[1] = await a(z[1]), await a(z[0])
return x, y, z
===
total = 0
for i, (k, v) in enumerate(sorted({"b": 2, "a": 1}.items())):
    if k == "b":
        continue
    total += i + v + await a(v)
return total
===
r = await a(1) if await a(0) else await a(2)
s = await a(0) or await a("") or await a("last")
return r, s, (await a(1) and await a(5))
===
try:
    try:
        await boom("key")
    except KeyError as e:
        raise Odd("wrapped") from e
except Odd as e:
    return str(e), isinstance(e, Odder)
===
async def once(k):
    for attempt in range(3):
        try:
            if attempt < 2:
                await boom("timeout")
            return await a(k), attempt
        except TimeoutError:
            await sleep(2 ** attempt)
    raise RuntimeError("gave up")
return await once("x")
===
history = [{"role": "user", "content": "hi"}]
while len(history) < 6:
    answer = await a({"role": "assistant", "content": f"n{len(history)}"})
    history.append(answer)
    if answer["content"].endswith("3"):
        history.append({"role": "tool", "content": await a("res")})
        continue
return [m["content"] for m in history]
===
TOOLS = {"a": a, "inc": inc}
plan = [("a", 1), ("inc", 2)]
return [await TOOLS[name](arg) for name, arg in plan]
===
results = await gather(*(inc(x) for x in range(3)), return_exceptions=True)
good = [r for r in results if not isinstance(r, Exception)]
return good
===
rs = await gather(a(1), boom("key"), a(3), return_exceptions=True)
return [repr(r) if isinstance(r, BaseException) else r for r in rs]
===
best = max([await item(n) for n in "abc"], key=lambda i: i.name)
return best.name
===
try:
    async with asyncio.timeout(2):
        await slow(10)
        x = 1
except TimeoutError:
    x = await a("late")
return x
===
try:
    x = await asyncio.wait_for(slow(9, 1), timeout=3)
except asyncio.TimeoutError as e:
    x = (type(e).__name__, str(e))
return x
===
from functools import reduce
xs = await gather(*[inc(i) for i in range(4)])
return reduce(lambda p, q: p * q, xs), sum(x for x in xs if x > 1), any(x > 3 for x in xs)
===
groups = defaultdict(list)
for w in ["ab", "ac", "b"]:
    groups[w[0]].append(await a(w))
return {k: len(v) for k, v in groups.items()}
===
count = Counter()
for w in "abca":
    count[await a(w)] += 1
return count.most_common(1)
===
deadline = datetime.now(UTC) + timedelta(hours=1)
n = 0
while datetime.now(UTC) < deadline:
    await sleep("20m")
    n += 1
return n
===
q = deque([1])
seen = set()
while q:
    x = q.popleft()
    if x in seen or x > 4:
        continue
    seen.add(x)
    q.extend([await inc(x), x * 2])
return sorted(seen)
===
undo = []
try:
    undo.append(lambda: a("car"))
    await a(1)
    undo.append(lambda: a("hotel"))
    await boom("key")
except KeyError:
    for f in reversed(undo):
        await f()
    return "undone"
===
def fmt(x, *, pad=2):
    """Pads."""
    return str(x).rjust(pad, "0")
parts = [fmt(await a(i), pad=i + 1) for i in range(3)]
return "-".join(parts)
===
xs = [3, 1, 2]
xs.sort(key=lambda x: -x)
xs[1:2] = [await a(9), await a(8)]
del xs[0]
return xs
===
assert await a(1), "must"
try:
    assert not await a(1), f"bad {await a(7)}"
except AssertionError as e:
    return str(e)
===
x: int | None = None
if (m := await a({"k": [1, 2]})) and (k := m.get("k")):
    x = k[-1]
return x
===
first, *_ , last = await a([1, 2, 3, 4])
return {first, last} == {1, 4}, first
===
async def worker(name, items):
    done = []
    for i in items:
        done.append(await a((name, i)))
    return done
r = await gather(*[worker(n, range(2)) for n in ("x", "y")])
return r
===
async def fib(n):
    if n < 2:
        return await a(n)
    return await fib(n - 1) + await fib(n - 2)
return await fib(4)
===
def pick(d, *path, default=None):
    for p in path:
        try:
            d = d[p]
        except (KeyError, IndexError, TypeError):
            return default
    return d
return pick(await a({"x": [{"y": 5}]}), "x", 0, "y"), pick({}, "q", default=await a("d"))
===
state = "start"
log_ = []
while state != "end":
    match state:
        case "start":
            state = await a("mid")
        case "mid" if len(log_) > 1:
            state = "end"
        case "mid":
            log_.append(await a(len(log_)))
        case other:
            raise ValueError(other)
return log_
===
res = {}
async with asyncio.TaskGroup() as tg:
    tasks = {k: tg.create_task(a(k)) for k in ("p", "q")}
res = {k: t.result() for k, t in tasks.items()}
return res
===
batches = [list(b) for b in itertools.batched(range(5), 2)]
out = []
for b in batches:
    out += await gather(*map(inc, b))
return out
===
e = None
for k in ("key", "zero"):
    try:
        await boom(k)
    except (KeyError, ZeroDivisionError) as err:
        e = err
return type(e).__name__, e.args
===
import json, re
text = json.dumps(await a({"b": [1, None], "a": "é"}), sort_keys=True, ensure_ascii=False)
m = re.search(r'"b": \[(\d+)', text)
n = int(m.group(1)) if m else -1
z = await a(n)
return text, z, m.start() if m else None
===
pairs = dict(zip(["a", "b"], [await a(1), await a(2)], strict=True))
return {**pairs, "c": 3} | {"d": await a(4)}
===
class_of = {"r": Color.RED}
c = await a(class_of["r"])
if c is Color.RED and c == Color("red"):
    return c.name, Level.HIGH > Level.LOW
===
id_ = uuid.uuid4()
t = time.time()
r = random.choice(["a", "b"]) in "ab"
await sleep(1)
return len(str(id_)), time.time() - t >= 1, r
===
log.info("got %s", await a(1))
print("x", await a(2), sep="-")
log.warning(f"{await a(3)=}")
return None
===
left = 3
while left:
    try:
        left -= await a(1)
        if left == 1:
            continue
    except Exception:
        break
    else:
        await a("else")
    finally:
        await a(("fin", left))
return left
===
g = globals_ok = (await a(1), await a(2))
global_names = [*g, *globals_ok]
x = y = []
x.append(await a(1))
return y, x is y if False else len(global_names)
===
async def helper(n, /, m=2, *rest, key="k", **kw):
    return [await a(n), m, rest, key, kw]
return await helper(1, 3, 4, 5, key="z", w=await a(6))
===
r = []
for page in itertools.count(1):
    data = await a(list(range(page)))
    r.extend(data)
    if len(data) >= 3:
        break
return r
===
pt = Point(1, y=2)
pt = pt._replace(x=await inc(pt.x))
p2 = replace(Item("q"), count=await a(4))
return pt, p2, Decimal("1.10") + await a(Decimal("2"))
===
msg = await event("message", timeout="1h")
try:
    second = await event("message", timeout=0)
except TimeoutError:
    second = None
return msg, second
===
return await (a(1) if await a(0) else a(2)), await (lambda v: inc(v))(3)
===
coros = [a(i) for i in range(3)]
coros.append(inc(9))
first = await coros.pop(0)
return first, await gather(*coros)
===
errors = []
for x in range(3):
    try:
        errors.append(await maybe(x))
    except Exception as e:
        errors.append(f"{type(e).__name__}: {e}")
        continue
return errors
===
s = {await a(1), await a(2)}
s |= {3}
return sorted(s), 2 in s, len(s & {1, 2}), sum(s)
===
async def stream(n):
    res = []
    async def emit(x):
        res.append(await a(x))
    for i in range(n):
        await emit(i)
    return res
return await stream(2)
===
def gen_ids(prefix):
    return (f"{prefix}{i}" for i in range(3))
return [await a(i) for i in gen_ids("z")]
===
xs = await gather(*[gather(a(i), inc(i)) for i in range(2)])
return [sum(p) for p in xs], list(map(list, zip(*xs)))
===
now = await a(1)
def later():
    return now + 1
now = await a(5)
return later()
===
try:
    raise await a(ValueError("x"))
except ValueError as e:
    e.add_note(await a("n"))
    return e.__notes__, str(e)
'''

_HELPERS = '''
from contextlib import asynccontextmanager, contextmanager

@contextmanager
def span(name):
    log.info(f"begin {name}")
    try:
        yield name.upper()
    finally:
        log.info(f"end {name}")

@asynccontextmanager
async def lease(key):
    got = await a(("take", key))
    try:
        yield got
    finally:
        await a(("give", key))

@dataclass
class Agent:
    name: str
    memory: list[str] = field(default_factory=list)
    async def ask(self, q: str) -> str:
        r = await a(f"{self.name}:{q}")
        self.memory.append(r)
        return r
    def __len__(self) -> int:
        return len(self.memory)

    @property
    def last(self): return self.memory[-1]
@flow
async def main() -> Any:
'''

_WITH_HELPERS = '''
    with span("x") as s:
        r = await a(s)
    return r
===
    async with lease("k") as l, lease("m"):
        return await a(l)
===
    ag = Agent("bob")
    await ag.ask("one")
    await ag.ask("two")
    return ag, len(ag), ag.last, f"{ag.last}"
===
    agents = [Agent(n) for n in "xy"]
    for ag in agents:
        for q in ("1", "2"):
            if await ag.ask(q) == "x:1":
                break
    return {ag.name: ag.memory for ag in agents}
===
    with span("o") as o, suppress(KeyError):
        await boom("key")
    return o
'''


def _programs() -> list[Program]:
    bodies = [body.strip("\n") for body in _BODIES.split("===\n")]
    found = [Program(f"natural_{n}", body) for n, body in enumerate(bodies)]
    own = [_HELPERS.strip("\n") + "\n" + body.strip("\n") for body in _WITH_HELPERS.split("===\n")]
    found += [Program(f"natural_helpers_{n}", text) for n, text in enumerate(own)]
    sent = [("5m", "message", {"x": 1})]
    return [replace(each, events=sent) if "event(" in each.text else each for each in found]


NATURAL = tuple(_programs())
