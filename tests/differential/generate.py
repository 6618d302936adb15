"""Structured flows drawn at random from a seed: values, control flow, forks, waits, errors.

`program(seed)` is a whole `Program`: its text, what is sent to it and when, and whether it is
cancelled. The same seed gives the same program on every Python.
"""

import random
from collections.abc import Callable

from tests.differential.harness import Program

__all__ = ["program"]

_PURE = (
    "n += 1",
    "n = n * 2 % 7",
    "out.append(n)",
    "out.append([n])",
    "d[str(n)] = n",
    "d.setdefault('k', []).append(n)",
    "n = 6 // (n % 3)",
    "out[n % 4] = n",
    "y = [n, out[0]]",
    "y = out",
    "del y",
    "out.append(list(y))",
    "n, m = len(out), n",
    "out.append((lambda v: v + n)(1))",
    "out.extend(v * n for v in range(n % 3))",
    "assert n != 4, f'{n}'",
    "out.append(f'{n!r:>3}|{len(d)}')",
    "it.count += n",
    "it.tags.append(str(n))",
    "it = replace(it, name=it.name + 'x')",
    "out.append(random.randint(0, 9))",
    "out.append(uuid.uuid4().hex)",
    "out.append(round(time.time()))",
    "print('n', n)",
    "if n > 3:\n    raise Odd(n)",
)
_VALUES = ("n", "n", "[n]", "{'v': n}", "(n, None)", "out", "d", "it", "-0.0", "''", "{1, n}", "y")
_STEPS = (
    "await a({v})",
    "await inc(n)",
    "await maybe(n)",
    "await slow({s}, {v})",
    "await late({s}, 'key')",
    "await boom('zero')",
    "await twice(n)",
    "await tries(n, out)",
    "await inner(n)",
    "await a(await inc(n))",
    "await kept(n)",
)
_BRANCHES = (
    "a({v})",
    "inc(n)",
    "maybe(n)",
    "slow({s}, n)",
    "late({s}, 'v')",
    "twice(n)",
    "waits(n)",
    "inner(n)",
    "sleep({s})",
)
_OPERATIONS = (
    "{t} = {a}",
    "{t} = {a}",
    "out.append({a})",
    "out.append({a})",
    "{a}",
    "n += await inc({n})",
    "d[str(n)] = {a}",
    "out[0] = (n, {a})",
    "await sleep({s})",
    "await sleep(n)",
    "out.append(await event('news', timeout={s}))",
    "out.append(await event('extra', timeout={s}))",
    "out.append(await gather({b}, {b}))",
    "out.append(await gather({b}, {b}, {b}, return_exceptions=True) and 1)",
    "out.append(await gather(*[inc(v) for v in range(n % 4)]))",
    "out += await gather(*[twice(v) for v in [n, 1]])",
    "out.append(await gather(*[slow(v, n) for v in (2, 1)], limit={k}))",
    "out.append(await race(p={b}, q={b}))",
    "out.append(await race(e=event('news'), s=sleep({s})))",
    "w, m = await race(e=event('extra'), f=event('news'), s=sleep({s}))",
    "out.append([await a(v) for v in range(n % 3)])",
    "it = await item(n)",
    "y = {a} if n % 2 else [{a}]",
    "out.append(n > 1 and {a})",
    "out.append({a} or {a})",
)
_TESTS = (
    "n > 2",
    "n % 2",
    "out",
    "{a}",
    "n < 3 and {a}",
    "len(out) < 5",
    "y",
    "not {a}",
    "(m := n % 3) == 1",
)
_ERRORS = (
    "Odd",
    "LookupError",
    "(KeyError, Odd)",
    "ArithmeticError",
    "NameError",
    "Exception",
    "TimeoutError",
)
_ITERABLES = (
    "range(3)",
    "[1, n, 2]",
    "list(out)[:3]",
    "enumerate('ab')",
    "{1: 2, n: 3}.items()",
    "zip('ab', [n, 1])",
    "reversed([1, n])",
    "await a([1, 2])",
)
_CASES = (
    "case 0 | 1:",
    "case int(m) if m > 3:",
    "case [m, *y]:",
    "case {'v': m}:",
    "case None:",
    "case str():",
)
_HELPERS = """\
async def twice(n: int) -> Any:
    if n > 6:
        return 'many'
    m = await inc(n)
    return m + await inc(m)

async def tries(n: int, out: list[Any]) -> Any:
    for i in range(2):
        try:
            out.append(await maybe(n + i))
        except LookupError as e:
            out.append(str(e))
            continue
        finally:
            await a(i)
        break
    else:
        return 'none'
    return n

async def waits(n: int) -> Any:
    x = random.random()
    await sleep(n % 3)
    if n % 4 == 3:
        raise Odder(str(n))
    return n, x
"""
_INNER = """\
    k = x
    async def inner(v: int) -> Any:
        return (await a(v)) + k
    async def kept(v: int) -> Any:
        out.append(v)
        return await a(len(out))
"""


class _Writer:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.lines: list[str] = []
        self.names = 0
        self.left = self.random.randint(4, 16)

    def fill(self, form: str) -> str:
        """A form with its holes filled, from the left."""
        pick = self.random.choice
        holes: dict[str, Callable[[], str]] = {
            "{a}": lambda: self.fill(pick(_STEPS)),
            "{b}": lambda: self.fill(pick(_BRANCHES)),
            "{v}": lambda: pick(_VALUES),
            "{n}": lambda: pick(("n", "len(out)", "n % 2")),
            "{s}": lambda: pick(("0", "1", "2", "1.5", "n", "3")),
            "{k}": lambda: pick(("1", "2", "None", "n")),
            "{t}": lambda: pick(("n", "m", "y")),
        }
        while True:
            found = [(form.find(hole), hole) for hole in holes if hole in form]
            if not found:
                return form
            _, hole = min(found)
            form = form.replace(hole, holes[hole](), 1)

    def put(self, indent: str, text: str) -> None:
        self.lines += [indent + line for line in text.split("\n")]

    def block(self, depth: int, loop: bool, handler: bool, indent: str) -> None:
        for _ in range(self.random.randint(1, 3)):
            self.statement(depth, loop, handler, indent)

    def statement(self, depth: int, loop: bool, handler: bool, indent: str) -> None:
        self.left -= 1
        kinds = ["pure", "operation", "operation"]
        if depth < 4 and self.left > 0:
            kinds += ["if", "if", "for", "while", "try", "try", "finally", "match", "suppress"]
        if self.random.random() < 0.08:
            kinds = ["return"]
        if loop and self.random.random() < 0.2:
            kinds = ["break", "continue"]
        if handler and self.random.random() < 0.2:
            kinds = ["raise"]
        pick, inside = self.random.choice, indent + "    "
        match pick(kinds):
            case "pure":
                self.put(indent, pick(_PURE))
            case "operation":
                self.put(indent, self.fill(pick(_OPERATIONS)))
            case "return":
                self.put(indent, f"return {pick(['n', 'await inc(n)', '[n, out]', 'y'])}")
            case "if":
                self.put(indent, f"if {self.fill(pick(_TESTS))}:")
                self.block(depth + 1, loop, handler, inside)
                if self.random.random() < 0.5:
                    self.put(indent, "else:")
                    self.block(depth + 1, loop, handler, inside)
            case "match":
                self.put(indent, f"match {self.fill(pick(('n', 'y', '{a}')))}:")
                for case in self.random.sample(_CASES, 2):
                    self.put(inside, case)
                    self.block(depth + 2, loop, handler, inside + "    ")
            case "for":
                target = pick(("i", "y", "n", "i"))
                self.put(indent, f"for {target} in {pick(_ITERABLES)}:")
                self.block(depth + 1, True, handler, inside)
                self.orelse(depth, loop, handler, indent)
            case "while":
                self.names += 1
                counter = f"k{self.names}"
                self.put(indent, f"{counter} = 0")
                self.put(indent, f"while {counter} < 3:")
                self.put(inside, f"{counter} += 1")
                self.block(depth + 1, True, handler, inside)
                self.orelse(depth, loop, handler, indent)
            case "suppress":
                self.put(indent, f"with suppress({pick(('Odd', 'LookupError', 'Exception'))}):")
                self.block(depth + 1, loop, handler, inside)
            case "try":
                self.attempt(depth, loop, handler, indent)
            case "finally":
                self.put(indent, "try:")
                self.block(depth + 1, loop, handler, inside)
                self.put(indent, "finally:")
                self.block(depth + 1, loop, False, inside)
            case word:
                self.put(indent, word)

    def orelse(self, depth: int, loop: bool, handler: bool, indent: str) -> None:
        if self.random.random() < 0.25:
            self.put(indent, "else:")
            self.block(depth + 1, loop, handler, indent + "    ")

    def attempt(self, depth: int, loop: bool, handler: bool, indent: str) -> None:
        inside = indent + "    "
        self.put(indent, "try:")
        self.block(depth + 1, loop, handler, inside)
        for _ in range(self.random.randint(1, 2)):
            name = self.random.choice(("", " as e", " as e"))
            self.put(indent, f"except {self.random.choice(_ERRORS)}{name}:")
            if name:
                self.put(inside, "out.append(str(e))")
            self.block(depth + 1, loop, True, inside)
        self.orelse(depth, loop, handler, indent)
        if self.random.random() < 0.4:
            self.put(indent, "finally:")
            self.block(depth + 1, loop, False, inside)


def program(seed: int) -> Program:
    """The program of that seed."""
    writer = _Writer(seed)
    writer.block(0, False, False, "    ")
    writer.block(0, False, False, "    ")
    writer.block(0, False, False, "    ")
    body = "\n".join(writer.lines)
    inner = _INNER if "inner(" in body or "kept(" in body else ""
    lines = (
        f"{_HELPERS}\n@flow\nasync def main(x: int) -> Any:\n",
        "    n, y, out, d, it = x, None, [0, 1], {}, Item('i')\n",
        f"{inner}{body}\n",
        "    return n, out, d, it\n",
    )
    draw = random.Random(f"{seed} outside")
    events = [
        (
            draw.choice((0, 1, 2, 2.5, 4)),
            draw.choice(("news", "extra")),
            draw.choice((1, [2], None)),
        )
        for _ in range(draw.randint(0, 3))
    ]
    cancel = draw.choice((1, 2.5, 4)) if draw.random() < 0.1 else None
    arguments = {"x": draw.randint(0, 5)}
    return Program(f"seed_{seed}", "".join(lines), arguments, events, cancel)
