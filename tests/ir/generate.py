"""Bodies of flows with operations in every position, drawn by Hypothesis."""

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

NAMES = ("p", "q", "x", "y")
SURE = ("p", "q")

_ATOMS = ("p", "q", "x", "y", "1", "'k'", "None", "True", "p.a", "q.b", "p[q]", "p[1]")


@st.composite
def expression(draw: DrawFn, depth: int = 3) -> str:
    """An expression; about every third node is an operation."""
    if depth <= 0:
        return draw(st.sampled_from(_ATOMS))
    inner = expression(depth - 1)
    kind = draw(st.sampled_from(_EXPRESSIONS))
    return kind(draw, inner)


def _await_step(draw: DrawFn, inner: SearchStrategy[str]) -> str:
    name = draw(st.sampled_from(("f", "g")))
    count = draw(st.integers(0, 2))
    parts = [draw(inner) for _ in range(count)]
    if draw(st.integers(0, 4)) == 0:
        parts.append(f"k={draw(inner)}")
    if draw(st.integers(0, 6)) == 0:
        parts.insert(0, f"*[{draw(inner)}]")
    return f"(await {name}({', '.join(parts)}))"


def _await_helper(draw: DrawFn, inner: SearchStrategy[str]) -> str:
    return f"(await h({draw(inner)}, b={draw(inner)}))"


def _await_table(draw: DrawFn, inner: SearchStrategy[str]) -> str:
    return f"(await TABLE[{draw(st.sampled_from(("'f'", "'g'", "'none'")))}]({draw(inner)}))"


def _await_choice(draw: DrawFn, inner: SearchStrategy[str]) -> str:
    return f"(await (f({draw(inner)}) if {draw(inner)} else g({draw(inner)})))"


def _gather(draw: DrawFn, inner: SearchStrategy[str]) -> str:
    coroutines = st.builds("{}({})".format, st.sampled_from(("f", "g")), inner)
    kind = draw(st.integers(0, 4))
    if kind == 0:
        parts = [draw(coroutines) for _ in range(draw(st.integers(1, 3)))]
        return f"(await gather({', '.join(parts)}))"
    if kind == 1:
        return (
            f"(await gather(*[f(c, {draw(inner)}) for c in [{draw(inner)}, 2] if {draw(inner)}]))"
        )
    if kind == 2:
        return f"(await gather({draw(coroutines)}, *[g(c) for c in {draw(inner)} or p]))"
    if kind == 3:
        return f"(await gather(h({draw(inner)}), gather({draw(coroutines)}, {draw(coroutines)})))"
    return (
        f"(await gather(*[h(c, {draw(inner)}) for c in [1, p]], return_exceptions={draw(inner)}))"
    )


def _binary(draw: DrawFn, inner: SearchStrategy[str]) -> str:
    operator = draw(st.sampled_from(("+", "<", ">", "==", "is", "is not")))
    return f"({draw(inner)} {operator} {draw(inner)})"


def _logic(draw: DrawFn, inner: SearchStrategy[str]) -> str:
    word = draw(st.sampled_from(("and", "or")))
    return f"({f' {word} '.join(draw(st.lists(inner, min_size=2, max_size=4)))})"


def _not(draw: DrawFn, inner: SearchStrategy[str]) -> str:
    return f"(not {draw(inner)})"


def _choice(draw: DrawFn, inner: SearchStrategy[str]) -> str:
    return f"({draw(inner)} if {draw(inner)} else {draw(inner)})"


def _chain(draw: DrawFn, inner: SearchStrategy[str]) -> str:
    parts = draw(st.lists(inner, min_size=3, max_size=4))
    return f"({' < '.join(parts)})"


def _method(draw: DrawFn, inner: SearchStrategy[str]) -> str:
    return f"p.m({draw(inner)}, {draw(inner)}, k={draw(inner)})"


def _subscript(draw: DrawFn, inner: SearchStrategy[str]) -> str:
    return draw(st.sampled_from(("p[{a}]", "p[{a}:{b}]", "q[{a}, {b}]", "p[{a}].c"))).format(
        a=draw(inner), b=draw(inner)
    )


def _display(draw: DrawFn, inner: SearchStrategy[str]) -> str:
    form = draw(
        st.sampled_from(
            ("[{a}, {b}]", "({a}, {b})", "[*p, {a}]", "[*[{a}], {b}]", "{{'k': {a}, 'l': {b}}}")
        )
    )
    return form.format(a=draw(inner), b=draw(inner))


def _text(draw: DrawFn, inner: SearchStrategy[str]) -> str:
    return f'f"""{{{draw(inner)}}}-{{{draw(inner)}!s}}"""'


def _walrus(draw: DrawFn, inner: SearchStrategy[str]) -> str:
    return f"({draw(st.sampled_from(('x', 'y')))} := {draw(inner)})"


def _comprehension(draw: DrawFn, inner: SearchStrategy[str]) -> str:
    form = draw(
        st.sampled_from(
            (
                "[{a} for c in p]",
                "[(c, {a}) for c in p if {b}]",
                "[{a} for c in [{b}, 1] for d in q if c]",
                "{{1: {a} for c in p}}",
                "[[{a} for c in q] for c in p if {b}]",
                "[{a} for c, d in [(1, {b})]]",
                "[k() for k in [lambda: {b2} for c in p]]",
            )
        )
    )
    used = {"a": draw(inner), "b": draw(inner), "b2": draw(st.sampled_from(_ATOMS))}
    # A walrus may not bind in a comprehension's iterable.
    clean = {name: text.replace(" := ", " + ") for name, text in used.items()}
    return form.format(**clean)


_EXPRESSIONS = (
    _await_step,
    _await_step,
    _await_step,
    _await_helper,
    _await_table,
    _await_choice,
    _gather,
    _binary,
    _logic,
    _logic,
    _not,
    _choice,
    _chain,
    _method,
    _subscript,
    _display,
    _text,
    _walrus,
    _comprehension,
)


@st.composite
def body(draw: DrawFn) -> str:
    """The body of a flow with parameters `p` and `q`; `x` is bound, `y` may be."""
    lines = ["x = q.start"]
    for _ in range(draw(st.integers(1, 3))):
        lines += draw(statement(2, loop=False))
    lines.append(f"return ({draw(expression(2))}, x)")
    return "\n".join(lines)


@st.composite
def statement(draw: DrawFn, depth: int, *, loop: bool) -> list[str]:
    """One statement as lines."""
    simple = st.sampled_from(_SIMPLE)
    if depth <= 0 or draw(st.booleans()):
        form = draw(simple)
        text = form.format(a=draw(expression(2)), b=draw(expression(2)), c=draw(expression(1)))
        exits = ["break", "continue"] if loop else []
        if draw(st.integers(0, 9)) == 0:
            text = draw(st.sampled_from(["return x", "raise ValueError('no') from None", *exits]))
        return text.split("\n")
    head = draw(st.sampled_from(_COMPOUND))
    inside = loop or head.startswith(("for", "while"))
    lines: list[str] = []
    for line in head.split("\n"):
        test = draw(expression(2))
        lines.append(line.format(a=test))
        if line.endswith(":") and not line.startswith("match"):
            pad = " " * (len(line) - len(line.lstrip()) + 4)
            own = inside if not line.startswith(("else", "finally")) else loop
            for _ in range(draw(st.integers(1, 2))):
                lines += [pad + inner for inner in draw(statement(depth - 1, loop=own))]
    return lines


_SIMPLE = (
    "x = {a}",
    "x = y = {a}",
    "y = {a}",
    "x += {a}",
    "p.n += {a}",
    "p[{a}] += {b}",
    "p[{a}] = {b}",
    "p[{a}], x, *q.rest = [{b}, 2, 3]",
    "(p[{c}], (x, q[{a}])) = {b}, (1, 2)",
    "{a}",
    "assert {a}, {b}",
    "assert {a}",
    "del p[{a}]",
    "del p[{a}], q[{b}]",
    "z: object = {a}",
    "rows = []\nrows.append({a})",
    "await gather(f({a}), g({b}))",
    "u = f({a})\ny = await u",
    "us = [f(c) for c in [{a}, 1]]\ny = await gather(*us)",
    "y = await asyncio.wait_for(f({a}), 60 if {c} else 90)",
    "async def inner(a, b=3):\n    nonlocal x\n    x = await f(a, x)\n    return b\n"
    "y = await inner({a})",
)

_COMPOUND = (
    "if {a}:",
    "if {a}:\nelif {a}:\nelse:",
    "while {a}:",
    "while {a}:\nelse:",
    "for x in {a}:",
    "for i, x in [(1, {a}), (2, p)]:\nelse:",
    "try:\nexcept ValueError:",
    "try:\nexcept (TypeError, ValueError) as e:\nelse:\nfinally:",
    "try:\nfinally:",
    "with suppress(ValueError, KeyError):",
    "with p as x:",
    "with p.m({a}) as w, q:",
    "match {a}:\n    case 1:\n    case [x, y]:\n    case _:",
    "match {a}:\n    case {{'k': x}}:\n    case x if {a}:\n    case y if y is p:\n    case [_]:",
    "async with asyncio.timeout(60):",
    "async with asyncio.TaskGroup() as tg:\n    t = tg.create_task(f({a}))\n"
    "    tg.create_task(g({a}))\n    if {a}:",
)
