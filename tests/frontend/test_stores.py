"""What functions put into the values of their callers is known where branches change it."""

from textwrap import dedent

import pytest

from tests.frontend.sources import analyse, codes

HEAD = """
from dataclasses import dataclass, field
from functools import partial
from perdure import flow, gather, step

@dataclass
class Box:
    v: list = field(default_factory=list)

    def keep(self, x):
        self.v.append(x)

@step
async def fetch(x: object) -> object: ...

def put(out, x):
    out.append(x)

def put_twice(out, x):
    inner = out
    put(inner, x)

def put_first(out, xs):
    out["k"] = xs[0]

def store(box, x):
    box.v = x

async def change(xs):
    await fetch(1)
    xs[0].append(1)

def push(xs: list[int], *more: int):
    xs += more

async def tell(note, v):
    note(await fetch(v))

async def grow(acc, v):
    await fetch(1)
    acc += v
    return acc

async def grow_item(d, v):
    await fetch(1)
    d["k"] += v
    return d["k"]

async def grow_own(item, v):
    own = {"sum": 0, "item": item}
    await fetch(1)
    own["sum"] += v
    return own

async def grow_put(item, v):
    own = {"sum": 0}
    own["sum"] = item
    await fetch(1)
    own["sum"] += v

async def grow_attribute(item, v):
    own = Box()
    own.v = item
    own.v += v

@flow
async def main(n: int) -> object:
"""

SHARED = [
    "acc = []\nout = []\nput(out, acc)\nawait gather(change(out))\nreturn acc",
    "acc = []\nout = []\nput_twice(out, acc)\nawait gather(change(out))\nreturn acc",
    "acc = []\nout = {}\nput_first(out, [acc])\nawait gather(change([out['k']]))\nreturn acc",
    "acc = []\nbox = Box()\nstore(box, acc)\nawait gather(change([box.v]))\nreturn acc",
    "acc = []\nbox = Box()\nbox.keep(acc)\nawait gather(change(box.v))\nreturn acc",
    "acc = []\nout = [[]]\ninner = out[0]\ninner.append(acc)\nawait gather(change(out[0]))\n"
    "return acc",
    "acc = []\nout = []\ndef keep(x):\n    out.append(x)\nkeep(acc)\nawait gather(change(out))\n"
    "return acc",
    "acc = []\nawait gather(grow(acc, [1]), grow(acc, [2]))\nreturn acc",
    "acc = await fetch(1)\nawait gather(grow(acc, await fetch(2)))\nreturn acc",
    "acc = await fetch(1)\nawait gather(grow_item({'k': acc}, await fetch(2)))\nreturn acc",
    "acc = await fetch(1)\nawait gather(grow_put(acc, await fetch(2)))\nreturn acc",
    "acc = await fetch(1)\nawait gather(grow_attribute(acc, await fetch(2)))\nreturn acc",
    "acc = []\nadd = acc.append\nasync def one(v):\n    add(await fetch(v))\n"
    "await gather(one(1), one(2))\nreturn acc",
    "acc = []\nput = acc.__setitem__\nasync def one(v):\n    partial(put, 0)(await fetch(v))\n"
    "await gather(one(1), one(2))\nreturn acc",
    "acc = []\nbox = Box(acc)\nkeep = box.keep\nasync def one(v):\n    keep(await fetch(v))\n"
    "await gather(one(1), one(2))\nreturn acc",
    "acc = []\nsinks = {'a': acc.append}\nasync def one(v):\n    sinks['a'](await fetch(v))\n"
    "await gather(one(1), one(2))\nreturn acc",
    "acc = []\nsinks = {'a': lambda v: acc.append(v)}\nasync def one(v):\n"
    "    sinks['a'](await fetch(v))\nawait gather(one(1), one(2))\nreturn acc",
    "acc = []\nrec = partial(put, acc)\nasync def one(v):\n    rec(await fetch(v))\n"
    "await gather(one(1), one(2))\nreturn acc",
    "acc = []\nasync def one(v):\n    partial(push, acc)(await fetch(v))\n"
    "await gather(one(1), one(2))\nreturn acc",
    "acc = []\nawait gather(tell(acc.append, 1), tell(acc.append, 2))\nreturn acc",
    "box = Box()\nawait gather(tell(box.keep, 1), tell(box.keep, 2))\nreturn box.v",
    "acc = []\nasync def one(v):\n    push(acc, v, int(await fetch(v)))\n"
    "await gather(one(1), one(2))\nreturn acc",
]
OWN = [
    "acc = await fetch(1)\nr = await gather(grow_own(acc, await fetch(2)))\nreturn r, acc",
    "k = 1\nr = await gather(grow(k, 1), grow(k, 2))\nreturn r, k",
    "k = int(await fetch(1))\nt = 'x'\nr = await gather(grow(k, 1), grow(t, 'y'))\nreturn r, k, t",
    "out = []\nput(out, await fetch(1))\nr = await gather(*[fetch(x) for x in out])\nreturn r, out",
    "async def one(x):\n    own = []\n    put(own, [x])\n    own[0].append(await fetch(1))\n"
    "    return own\nreturn await gather(*[one(i) for i in range(n)])",
    "out = []\nfor r in await gather(fetch(1), fetch(2)):\n    put(out, r)\nreturn out",
    "box = Box()\nsize = box.v.count\nasync def one(v):\n    own = []\n    add = own.append\n"
    "    add(await fetch(v))\n    return [own, size(v)]\nreturn await gather(one(1), one(2)), box",
    "acc = []\nadd = acc.append\nfor r in await gather(fetch(1), fetch(2)):\n    add(r)\n"
    "return acc",
]


def _flow(body: str) -> str:
    return HEAD + "".join(f"    {line}\n" for line in dedent(body).splitlines())


@pytest.mark.parametrize("body", SHARED)
def test_a_branch_must_not_change_what_others_hold(body: str) -> None:
    assert set(codes(_flow(body))) == {"PDR139"}


@pytest.mark.parametrize("body", OWN)
def test_a_branch_may_change_what_it_alone_holds(body: str) -> None:
    report = analyse(_flow(body)).report
    assert [(found.code, found.message) for found in report.diagnostics] == []


def test_which_name_is_told_does_not_depend_on_the_order_of_a_set() -> None:
    flow = _flow(
        "acc = []\npair = (acc, 1)\nasync def one(v):\n    match pair:\n        case (found, _):\n"
        "            found.append(await fetch(v))\nawait gather(one(1), one(2))\nreturn acc"
    )
    told = {analyse(flow).report.diagnostics[0].message for _ in range(12)}
    assert told == {"this branch changes `acc`, a value made outside of it"}


def test_a_method_that_changes_a_shared_object_is_told_where_to_copy() -> None:
    branch = "async def one(b):\n    b.keep(await fetch(1))\n"
    body = branch + "box = Box()\nawait gather(one(box))\nreturn box"
    (found,) = analyse(_flow(body)).report.diagnostics
    assert found.code == "PDR139"
    assert found.help is not None
    assert "self" not in found.help
