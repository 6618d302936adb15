"""The module around a generated flow, and what its steps answer.

A program names what it uses; only these pieces are put before it, so that the front end reads no
more than it has to.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache

from tests.differential.harness import Program, answers

__all__ = ["FILE", "PIECES", "scripts", "source_of"]

FILE = "flow_under_test.py"

IMPORTS = """\
import asyncio
import enum
import logging
import random
import time
import uuid
from collections import Counter, OrderedDict, defaultdict, deque
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from perdure import Fatal, Retry, RetryAfter, event, flow, gather, progress, quorum, race, reply
from perdure import sleep, step, this_run

log = logging.getLogger(__name__)

"""

PIECES: Mapping[str, str] = {
    "Odd": "class Odd(Exception):\n    pass\n",
    "Odder": "class Odder(Odd):\n    pass\n",
    "Coded": """\
class Coded(Exception):
    def __init__(self, code: int, *, why: str = "none") -> None:
        super().__init__(f"code {code}: {why}")
        self.code = code
        self.why = why
""",
    "Color": 'class Color(enum.Enum):\n    RED = "red"\n    BLUE = "blue"\n',
    "Level": "class Level(enum.IntEnum):\n    LOW = 1\n    HIGH = 2\n",
    "Item": """\
@dataclass
class Item:
    name: str
    count: int = 0
    tags: list[str] = field(default_factory=list)

    def bump(self, n: int) -> int:
        self.count += n
        return self.count

    async def grow(self, n: Any) -> Any:
        self.count += await inc(n)
        self.tags.append(str(await a(self.count)))
        return self.count
""",
    "Pair": "@dataclass(frozen=True)\nclass Pair:\n    left: Any\n    right: Any\n",
    "Point": "class Point(NamedTuple):\n    x: int\n    y: int = 0\n",
    "Wild": """\
@dataclass(frozen=True)
class Wild:
    kept: Any = None

    def __matmul__(self, other: Any) -> Any:
        return [self.kept, other]

    def __rmatmul__(self, other: Any) -> Any:
        return [other, self.kept]

    def __getitem__(self, key: Any) -> Any:
        return (key, self.kept)
""",
    "a": "@step\nasync def a(x: Any = None, *, k: Any = None) -> Any: ...\n",
    "inc": "@step\nasync def inc(x: Any) -> Any: ...\n",
    "boom": "@step\nasync def boom(x: Any = None) -> Any: ...\n",
    "slow": "@step\nasync def slow(s: float, x: Any = None) -> Any: ...\n",
    "late": "@step\nasync def late(s: float, x: Any = None) -> Any: ...\n",
    "maybe": "@step\nasync def maybe(x: Any) -> Any: ...\n",
    "item": "@step\nasync def item(x: Any) -> Item: ...\n",
    "count": "@step\nasync def count(x: int) -> int: ...\n",
    "plain": "@step\ndef plain(x: Any) -> Any: ...\n",
    "brief": '@step(timeout="2s")\nasync def brief(s: float, x: Any = None) -> Any: ...\n',
    "flaky": """\
@step(retry=Retry(attempts=3, delay="1s", backoff=2.0, jitter=False))
async def flaky(x: Any, n: Any) -> Any: ...
""",
    "picky": """\
@step(retry=Retry(attempts=3, delay=2, on=[ValueError], not_on=[KeyError], jitter=False))
async def picky(x: Any) -> Any: ...
""",
    "again": "@step(retry=2)\nasync def again(x: Any) -> Any: ...\n",
    "name_of": 'def name_of(n: Any) -> str:\n    return ("news", "extra", "other")[n % 3]\n',
    "num": """\
def num(v: Any) -> int:
    if isinstance(v, bool | int):
        return int(v)
    return len(v) if isinstance(v, list | tuple | str | dict) else 0
""",
    "twice": """\
async def twice(n: Any) -> Any:
    if n > 6:
        return "many"
    m = await inc(n)
    return m + await inc(m)
""",
    "TOOLS": 'TOOLS = {"inc": inc, "maybe": maybe, "a": a, "twice": twice}\n',
    "tries": """\
async def tries(n: Any, out: list[Any]) -> Any:
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
        return "none"
    return n
""",
    "waits": """\
async def waits(n: Any) -> Any:
    x = random.random()
    await sleep(n % 3)
    if n % 4 == 3:
        raise Odder(str(n))
    return n, x
""",
    "ends": """\
async def ends(n: Any) -> Any:
    try:
        return n
    finally:
        n = await inc(n)
        await a(n)
""",
    "walks": """\
async def walks(n: Any) -> Any:
    some = [n, 2]
    for one in some:
        if len(some) < 4:
            some.append(await inc(one))
    else:
        some.append("all")
    return some
""",
    "deferred": """\
async def deferred(n: Any, k: Any = 7, *, j: Any = "j") -> Any:
    k += await inc(k)
    return [n, k, j]
""",
    "deep": """\
async def deep(n: Any) -> Any:
    if n <= 0:
        return await a("end")
    return [n, await deep(n % 3 - 1)]
""",
    "kid": """\
@flow
async def kid(n: Any = 2, *, k: Any = None) -> Any:
    try:
        m = await inc(n)
        await sleep(m % 3)
        if m % 4 == 1:
            raise Coded(m, why="kid")
    finally:
        await a(("kid", k))
    return [m, k]
""",
    "chat": """\
@flow
async def chat(n: Any = 1) -> Any:
    asked = await event("ask", timeout=6)
    await reply("ask", [asked, n])
    return await event("news", timeout=3)
""",
    "held": """\
@asynccontextmanager
async def held(key: Any) -> Any:
    got = await a(("take", key))
    try:
        yield got
    finally:
        await a(("free", key))
""",
    "noted": """\
@contextmanager
def noted(out: list[Any], key: Any) -> Any:
    out.append(("in", key))
    try:
        yield key
    finally:
        out.append(("out", key))
""",
    "quiet": """\
@asynccontextmanager
async def quiet(out: list[Any]) -> Any:
    try:
        yield len(out)
    except LookupError as e:
        out.append(await a(str(e)))
""",
    "Gate": """\
class Gate:
    async def __aenter__(self) -> Any:
        return await a("gate")

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> Any:
        await a(None if kind is None else kind.__name__)
        return kind is KeyError
""",
}
"""By the name that says whether a program needs it; in the order in which they have to stand."""

_WORD = re.compile(r"[A-Za-z_]\w*")


def scripts() -> dict[str, Callable[..., object]]:
    """Fresh ones: some count how often they were asked."""
    known = answers()
    flaky, boom = known["flaky"], known["boom"]

    def plain(x: object) -> object:
        return [x]

    def picky(x: object) -> object:
        flaky(("picky", x), 1)
        return boom("key") if x == 1 else 0

    def again(x: object) -> object:
        return flaky(("again", x), 1)

    return {**known, "plain": plain, "brief": known["slow"], "picky": picky, "again": again}


@lru_cache(maxsize=4096)
def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text))


def source_of(program: Program) -> str:
    """The whole module of a program."""
    needed: set[str] = set()
    pending = [*_words(program.text)]
    while pending:
        name = pending.pop()
        if name in PIECES and name not in needed:
            needed.add(name)
            pending += _words(PIECES[name])
    pieces = "\n\n".join(piece for name, piece in PIECES.items() if name in needed)
    return f"{IMPORTS}\n{pieces}\n\n{program.text}\n"
