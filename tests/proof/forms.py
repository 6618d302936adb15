"""What can be drawn: awaited operations, the positions of an expression, pure statements.

A form is text with holes: `{i}` an int, `{v}` any value, `{s}` a number of seconds, `{x}` the
operation under test, `{b}` a branch, and others that `generate` fills. The names of nodes and
positions are those of the census.
"""

from collections.abc import Mapping
from typing import NamedTuple, final

__all__ = ["BRANCHES", "ERRORS", "ITERABLES", "OPERATIONS", "POSITIONS", "PURE", "Form", "VALUES"]


@final
class Form(NamedTuple):
    """`needs`: "int" where another type would raise; such a statement stands in a `try`."""

    text: str
    needs: str = "any"


OPERATIONS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "step": (
        ("await inc({i})", "int"),
        ("await inc({i})", "int"),
        ("await a({i})", "int"),
        ("await a({v})", "any"),
        ("await a({v}, k={v})", "any"),
        ("await maybe({i})", "int"),
        ("await count({i})", "int"),
        ("await slow({s}, {i})", "int"),
        ("await late({s}, {e})", "any"),
        ("await boom({e})", "any"),
        ("await item({i})", "any"),
        ("await plain({v})", "any"),
        ("await brief({s}, {i})", "int"),
        ("await flaky({i}, {i})", "int"),
        ("await picky({i})", "int"),
        ("await again({i})", "int"),
        ("await slow.options(timeout={s})({s}, {i})", "int"),
        ("await a(*[{i}])", "int"),
        ("await a(**{{'x': {i}}})", "int"),
    ),
    "flow": (
        ("await kid({i})", "any"),
        ("await kid(k={v})", "any"),
        ("await kid(n={i})", "any"),
        ("await child({i})", "any"),
    ),
    "table": (
        ("await TOOLS[{t}]({i})", "int"),
        ("await TOOLS[name_of({i})]({i})", "int"),
    ),
    "value": (
        ("await (inc if {c} else a)({i})", "int"),
        ("await (inc({i}) if {c} else a({i}))", "int"),
        ("await fn({i})", "int"),
        ("await later.pop()", "any"),
    ),
    "call": (
        ("await twice({i})", "int"),
        ("await tries({i}, out)", "any"),
        ("await waits({i})", "any"),
        ("await deep({i})", "any"),
        ("await inner({i})", "any"),
        ("await kept({i})", "any"),
        ("await it.grow({i})", "int"),
        ("await help_1({i}, out)", "any"),
    ),
    "event": (
        ("await event('news', timeout={s})", "any"),
        ("await event('extra', timeout={s})", "any"),
        ("await event(name_of({i}), timeout={s})", "any"),
        ("await event('typed', Item, timeout={s})", "any"),
        ("await event('news', timeout=0)", "any"),
    ),
    "sleep": (
        ("await sleep({s})", "any"),
        ("await asyncio.sleep({s}, {i})", "int"),
        ("await sleep(until=datetime.now(UTC) + timedelta(seconds={i}))", "any"),
    ),
    "progress": (("await progress({v})", "any"),),
    "start": (("await kid.start({i})", "any"),),
    "send": (("await (await chat.start({i})).send('ask', {v})", "any"),),
    "ask": (("await (await chat.start({i})).ask('ask', {v})", "any"),),
    "cancel": (("await (await kid.start({i})).cancel()", "any"),),
    "reply": (("await reply('news', {v})", "any"),),
    "fork all": (
        ("await gather({b}, {b})", "any"),
        ("await gather({b}, {b}, {b}, return_exceptions=True)", "any"),
        ("await asyncio.gather({b}, {b})", "any"),
        ("await gather({b}, {b}, {b}, limit={k})", "any"),
        ("await gather({b}, {b}, fail_fast=True)", "any"),
    ),
    "fork map": (
        ("await gather(*[inc(v) for v in range({i} % 4)])", "any"),
        ("await gather(*[slow(v, n) for v in (2, 1)], limit={k})", "any"),
        ("await gather(*[maybe(v) for v in [{i}, 1, 2]], return_exceptions=True)", "any"),
        ("await gather(*[twice(v) for v in [{i}, 1]])", "any"),
        ("await gather(*[slow(3 - v, v) for v in range(3)], fail_fast={c})", "any"),
    ),
    "fork race": (
        ("await race(p={b}, q={b})", "any"),
        ("await race(e=event('news'), s=sleep({s}))", "any"),
        ("await race(e=event('extra'), f=event('news'), s=sleep({s}))", "any"),
    ),
    "fork race map": (
        ("await race(**{{k: slow(v, k) for k, v in {{'p': 2, 'q': {i} % 4}}.items()}})", "any"),
    ),
    "fork quorum": (
        ("await quorum(1, {b}, {b})", "any"),
        ("await quorum(2, {b}, {b}, {b})", "any"),
        ("await quorum({k}, slow({s}, 1), late({s}, 'v'), slow({s}, 3))", "any"),
    ),
    "deadline": (
        ("await asyncio.wait_for({b}, {s})", "any"),
        ("await asyncio.wait_for(slow({s}, {i}), {s})", "int"),
    ),
}

POSITIONS: Mapping[str, tuple[Form, ...]] = {
    "statement": (Form("{x}"),),
    "assigned": (Form("y = {x}"), Form("y = w = {x}"), Form("w: Any = {x}"), Form("n = {x}", "int")),
    "augmented": (Form("n += {x}", "int"), Form("out += [{i}, {i}][:{x}]", "int")),
    "item assigned": (Form("out[0] = {x}"), Form("d['k'] = {x}"), Form("out[{i} % 2] = {x}")),
    "index assigned": (Form("d[{x}] = {i}", "int"), Form("d[{x}] = d.get('k')", "int")),
    "item augmented": (
        Form("it.count += {x}", "int"),
        Form("d['n'] = d.get('n', 0)\nd['n'] += {x}", "int"),
    ),
    "attribute assigned": (Form("it.count = {x}"),),
    "unpacked": (Form("w, *y = {x}", "int"), Form("w, y = {x}, n"), Form("(w, y), m = {x}, n", "int")),
    "named": (Form("out.append((w := {x}))"), Form("if (w := {x}):\n    out.append(w)")),
    "deleted": (Form("del out[{x}]", "int"), Form("del d[{x}]", "int")),
    "argument": (Form("out.append({x})"), Form("y = num({x})"), Form("d.setdefault('q', {x})")),
    "second argument": (Form("y = Pair(n, {x})"), Form("out.insert({i}, {x})")),
    "keyword argument": (Form("y = Pair(left={x}, right=n)"), Form("d.update(k={x})")),
    "star argument": (Form("y = Pair(*{x})", "int"), Form("out.extend(zip(*[{x}]))", "int")),
    "operation argument": (Form("y = await a({x})"), Form("y = await a(n, k={x})")),
    "helper argument": (Form("y = await twice({x})", "int"), Form("y = await waits({x})", "int")),
    "child argument": (Form("y = await kid(1, k={x})"),),
    "branch argument": (
        Form("y = await gather(a({x}), inc(n))"),
        Form("y = await gather(a(n), a({x}))"),
        Form("y = await race(p=a({x}), q=sleep(9))"),
    ),
    "option": (
        Form("y = await a.options(timeout={x})(n)", "int"),
        Form("await sleep({x})", "int"),
        Form("y = await event('news', timeout={x})", "int"),
    ),
    "list": (Form("y = [n, {x}]"), Form("out.append([{x}, n])")),
    "tuple": (Form("y = ({x}, n)"), Form("out.append((n, {x}))")),
    "set": (Form("y = {{n, {x}}}", "int"),),
    "dict value": (Form("y = {{'k': {x}, 'n': n}}"),),
    "dict key": (Form("y = {{{x}: n}}", "int"),),
    "unpacked display": (Form("y = [*{x}, n]", "int"), Form("y = {{**d, 'x': {x}}}")),
    "text": (Form("s = f'{{{x}!r:>5}}|{{n}}'"), Form("s = f'{{n}}{{{x}}}'"), Form("out.append(f'{{{x}}}')")),
    "text format": (Form("s = f'{{n:>{{{x}}}}}'", "int"),),
    "left operand": (Form("n = {x} + n", "int"), Form("y = {x} @ Wild(n)")),
    "right operand": (Form("n = n - {x}", "int"), Form("y = Wild(n) @ {x}")),
    "comparison": (Form("y = {x} == n"), Form("y = n in [{x}, 2]"), Form("y = n < {x} <= 5", "int")),
    "first of and": (Form("y = {x} and n"), Form("y = {x} or n > 2 or d")),
    "second of and": (Form("y = n > 1 and {x}"), Form("y = n % 2 or {x}")),
    "unary operand": (Form("y = not {x}"), Form("n = -{x}", "int")),
    "condition test": (Form("y = n if {x} else [n]"),),
    "condition then": (Form("y = {x} if n % 2 else [n]"), Form("y = {x} if n < 3 else s")),
    "condition else": (Form("y = n if n > 2 else {x}"),),
    "index": (Form("y = Wild(n)[{x}]"), Form("y = out[{x}]", "int")),
    "slice": (Form("y = out[:{x}]", "int"), Form("y = 'abcdef'[{x}:4]", "int")),
    "attribute base": (Form("y = ({x}).real", "int"), Form("y = ({x}).name", "int")),
    "method base": (Form("y = ({x}).bit_length()", "int"), Form("y = ({x}).count(1)", "int")),
    "comprehension element": (
        Form("y = [{x} for v in range(n % 3)]"),
        Form("out.append([[{x}, v] for v in range(2)])"),
        Form("y = [(u, v, {x}) for u in 'ab' for v in range(n % 2)]"),
    ),
    "comprehension value": (Form("y = {{v: {x} for v in range(n % 3)}}"),),
    "comprehension iterable": (Form("y = [v for v in {x}]", "int"), Form("y = [v for v in [{x}]]")),
    "comprehension test": (Form("y = [v for v in range(3) if {x}]"),),
    "if test": (Form("if {x}:\n    out.append(1)\nelse:\n    out.append(2)"),),
    "elif test": (Form("if n == 1:\n    out.append(n)\nelif {x}:\n    out.append(2)"),),
    "while test": (
        Form("j = 0\nwhile j < 2 and {x}:\n    j += 1"),
        Form("j = 0\nwhile {x}:\n    j += 1\n    if j > 1:\n        break\nelse:\n    out.append(j)"),
    ),
    "iterated": (
        Form("for i in {x}:\n    out.append(await a(i))", "int"),
        Form("for i in [{x}, n]:\n    out.append(i)"),
    ),
    "matched": (
        Form("match {x}:\n    case 0 | 1:\n        y = 0\n    case [w, *_]:\n        y = await a(w)\n"
             "    case str() | None:\n        s = 'text'\n    case int(w) if w > 3:\n        y = w"),
    ),
    "guard": (Form("match n:\n    case 1 if {x}:\n        y = 1\n    case int(w) if {x}:\n        y = w"),),
    "asserted": (Form("assert {x}, 'none'", "int"),),
    "assert message": (Form("assert n > 1, {x}", "int"),),
    "raised": (Form("raise Odd({x})", "int"), Form("raise Coded({x}, why=s)", "int")),
    "cause": (Form("raise Odder(n) from Odd({x})", "int"),),
    "returned": (Form("return {x}", "return"), Form("return n, {x}", "return")),
    "with item": (
        Form("with noted(out, {x}):\n    await a(1)"),
        Form("async with held({x}) as w:\n    out.append(w)"),
        Form("with suppress(LookupError if {x} else Odd):\n    await boom('key')", "int"),
    ),
    "deadline operand": (Form("async with asyncio.timeout({x}):\n    await sleep(1)", "int"),),
    "default": (
        Form("y = (lambda v={x}: v)()"),
        Form("def local(v: Any = {x}) -> Any:\n    return v\ny = local()"),
    ),
    "logged": (Form("print('said', {x})"), Form("log.info('%s', {x})")),
}

PURE = (
    "n += 1",
    "n = n * 2 % 7",
    "n, m = m, n",
    "m = n = len(out)",
    "out.append(n)",
    "out.append([n])",
    "out.append(out[:2])",
    "out.append(d)",
    "d[str(n)] = n",
    "d.setdefault('k', []).append(n)",
    "y = d.pop('k', None)",
    "n = 6 // (n % 3)",
    "out[n % 4] = n",
    "y = [n, out[0]]",
    "y = out",
    "y = [out, out]",
    "w = y",
    "w = it",
    "del y",
    "y = [it, it]",
    "out.append(it)",
    "it.count += n",
    "it.tags.append(str(n))",
    "it = replace(it, name=it.name + 'x')",
    "it.bump(2)",
    "out.append((lambda v: v + n)(1))",
    "fn = inc",
    "fn = maybe if n % 2 else a",
    "later.append(inc(n))",
    "later.append(slow(1, n))",
    "out.extend(v * n for v in range(n % 3))",
    "assert n != 4, f'{n}'",
    "out.append(f'{n!r:>3}|{len(d)}')",
    "out.append(random.randint(0, 9))",
    "out.append(uuid.uuid4().hex)",
    "out.append(round(time.time()))",
    "out.append(datetime.now(UTC).isoformat())",
    "out.append(random.choice([1, 2, 3]))",
    "print('n', n)",
    "log.warning('%s', n)",
    "s = s + str(n)",
    "s = s.upper()[:4]",
    "y = sorted([n, m, 2], reverse=True)",
    "y = {k: v for k, v in d.items() if v}",
    "x = n",
    "x += 1",
    "y = -0.0 if n % 2 else 2.0",
    "y = 0.1 * n",
    "y = n / 2",
    "y = divmod(n, 3)",
    "y = Counter('abca')",
    "out.append(y == w)",
    "out.append(this_run().id)",
    "if n > 3:\n    raise Odd(n)",
    "if n == 2:\n    raise KeyError('two')",
    "for v in range(n % 3):\n    m += v\nelse:\n    m += 1",
    "while m > 5:\n    m -= 3",
    "try:\n    y = out[n]\nexcept IndexError as e:\n    y = str(e)\nfinally:\n    m = 1",
)

VALUES = (
    "n", "m", "s", "y", "out", "d", "it", "[n]", "{'v': n}", "(n, None)", "-0.0", "2.0", "''", "1e300",
    "{1, n}", "[out, out]", "[it, it]", "Color.RED", "Level.HIGH", "Point(n, 1)", "Pair(n, out)",
    "Decimal('1.10')", "b'\\x00\\xff'", "timedelta(seconds=n)", "date(2026, 1, 2)", "uuid.UUID(int=n)",
    "deque([n, 1])", "Counter('ab')", "10 ** 20 + n", "frozenset([n])", "range(n)", "{1: n, (2, 3): 'x'}",
    "{'$': n}", "{'$perdure': [n]}", "'\\ud800'", "float('inf')", "True", "None", "0.5", "n / 2",
    "OrderedDict(a=n)", "defaultdict(list, k=[n])", "datetime(2026, 1, 2, tzinfo=UTC)", "Fraction(1, 3)",
    "'\\u00e9\\u4e2d\\U0001f600'", "ValueError('v', n)", "Coded(n, why='sent')", "{'b': 1, 'a': 2}", "{1.0: 2}",
)

ERRORS = (
    "'key'", "'index'", "'timeout'", "'zero'", "'empty'", "'args'", "'group'", "'os'", "'x'", "'unicode'",
    "'assert'", "'stop'", "'fatal'",
)

BRANCHES = (
    "a({v})", "inc({i})", "maybe({i})", "slow({s}, {i})", "late({s}, 'v')", "twice({i})", "waits({i})",
    "sleep({s})", "branch_1({i})", "branch_1({i})", "kid({i})", "event('news', timeout={s})", "boom('key')",
    "gather(inc({i}), a({i}))", "race(u=slow({s}, 1), v=slow({s}, 2))", "count({i})", "flaky({i}, 1)",
)

ITERABLES = (
    "range(3)", "[1, n, 2]", "list(out)[:3]", "enumerate('ab')", "{1: 2, n: 3}.items()", "zip('ab', [n, 1])",
    "reversed([1, n])", "'xyz'", "(n, m)", "d", "d.values()", "out[:2]", "await a([1, 2])", "range(n % 3, 4, 2)",
)
