"""Values without a codec: refused where an operation would have to carry them, and only there."""

import pytest

from tests.frontend.sources import analyse, codes, flow_text, prelude_lines

BEFORE = """
import hashlib
import io
import re
def made() -> Plain:
    return Plain()
def each(xs):
    return (x for x in xs)
"""

REFUSED = [
    ("PDR136", "x = object()\nawait fetch(1)\nreturn len([x])"),
    ("PDR136", "p = Plain()\np.n = 1\nawait sleep(1)\nreturn p.n"),
    ("PDR136", "p = made()\nawait sleep(1)\nreturn p.n"),
    ("PDR136", "p = Plain()\nfor x in xs:\n    p.n = await fetch(x)\nreturn p.n"),
    ("PDR136", "p = Plain()\ntry:\n    await sleep(1)\nexcept ValueError:\n    return p.n"),
    ("PDR136", "p = Plain()\ntry:\n    await sleep(1)\nfinally:\n    p.n = 2"),
    ("PDR136", "p = Plain()\nif xs:\n    await fetch(p.n)\nelse:\n    await fetch(1)"),
    ("PDR136", "if (p := Plain()):\n    await fetch(1)\nreturn p.n"),
    ("PDR136", "p = Plain()\nf = lambda: p.n\nawait fetch(1)\nreturn f()"),
    ("PDR136", "p = Plain()\nasync def one(x):\n    return await fetch(p.n)\nreturn await one(1)"),
    ("PDR136", "out = []\nout.append(Plain())\nawait fetch(1)\nreturn len(out)"),
    ("PDR136", "out = {'a': [Plain() for x in xs]}\nawait fetch(1)\nreturn len(out)"),
    ("PDR136", "return len([Plain(), await fetch(1)])"),
    ("PDR136", "p = Plain()\nq = p\nawait fetch(1)\nreturn q.n"),
    ("PDR136", "b = io.StringIO()\nb.write(await fetch(1))\nreturn b.getvalue()"),
    ("PDR136", "r = random.Random(3)\nawait fetch(1)\nreturn r.random()"),
    ("PDR136", "h = hashlib.sha256()\nh.update((await fetch(1)).encode())\nreturn h.hexdigest()"),
    ("PDR126", "d = {'a': 1}\nit = d.items()\nawait fetch(1)\nreturn list(it)"),
    ("PDR126", "z = zip(xs, xs)\nawait fetch(1)\nreturn list(z)"),
    ("PDR126", "m = map(str, xs)\nawait fetch(1)\nreturn list(m)"),
    ("PDR126", "g = (x for x in xs)\nawait fetch(next(g))\nreturn list(g)"),
    ("PDR126", "for x in each(xs):\n    await fetch(x)"),
    ("PDR126", "g = each(xs)\nawait fetch(1)\nreturn list(g)"),
    ("PDR126", "m = re.finditer('a', 'aa')\nawait fetch(1)\nreturn [x.start() for x in m]"),
]

ACCEPTED = [
    "x = object()\ny = len([x])\nawait fetch(1)\nreturn y",
    "p = Plain()\np = 1\nawait sleep(1)\nreturn p",
    "if xs:\n    p = Plain()\nelse:\n    await sleep(1)\n    p = Plain()\nreturn p.n",
    "for x in xs:\n    p = Plain()\n    p.n = 1\n    await fetch(p.n)\nreturn 1",
    "p = Plain()\nreturn await gather(fetch(p.n), fetch(2))",
    "m = re.match('a', 'b')\nif m:\n    await fetch(m.group())\nreturn bool(m)",
    "m = re.compile('a')\nawait fetch(1)\nreturn m.sub('b', 'a')",
    "h = hashlib.sha256(b'a').hexdigest()\nawait fetch(h)\nreturn h",
    "import json as j\nx = await fetch(1)\nawait fetch(x)\nreturn j.dumps(x)",
    "from types import SimpleNamespace\ns = SimpleNamespace(a=1)\nawait fetch(1)\nreturn s.a",
    "from pathlib import Path\np = Path('a')\nawait fetch(1)\nreturn p.name",
    "import itertools\nids = itertools.count(1)\nawait fetch(next(ids))\nreturn next(ids)",
    "return await fetch(sum(x for x in xs))",
    "out = []\nout.extend(x for x in xs)\nawait fetch(1)\nreturn out",
    "it = Item('a')\nawait fetch(1)\nreturn it.name",
    "try:\n    e = ValueError('x')\n    await fetch(1)\nfinally:\n    print(e)",
]


@pytest.mark.parametrize(("code", "body"), REFUSED, ids=range(len(REFUSED)))
def test_a_value_without_a_codec_does_not_cross(code: str, body: str) -> None:
    assert codes(flow_text(body, BEFORE)) == [code]


@pytest.mark.parametrize("body", ACCEPTED, ids=range(len(ACCEPTED)))
def test_a_value_that_is_not_needed_any_more_or_has_a_codec_is_accepted(body: str) -> None:
    assert codes(flow_text(body, BEFORE)) == []


def test_the_caret_is_on_what_makes_the_value() -> None:
    text = flow_text("p = Plain()\np.n = await fetch(1)\nreturn p.n")
    (found,) = analyse(text).report.diagnostics
    assert found.span is not None
    assert text.splitlines()[found.span.line - 1].strip() == "p = Plain()"
    assert found.span.column == len("    p = ")
    assert found.message.endswith(f"the operation in line {found.span.line + 1}")
    assert found.help == "write `@dataclass` above `class Plain`"
    assert found.span.line > prelude_lines()
