"""The instrumented module: what is replaced, and that all the rest is the user's code to the
letter."""

import ast

import pytest

from perdure.frontend import instrument
from tests.frontend.mutants import seeds
from tests.frontend.sources import PRELUDE, analyse, flow_text

FORMS = [
    ("await fetch(1)", "await __perdure__.call(__sites__[0], fetch, 1)"),
    (
        "await fetch.options(timeout='5m')(1)",
        "await __perdure__.call(__sites__[0], fetch.options(timeout='5m'), 1)",
    ),
    (
        "await TOOLS[item.name](**xs)",
        "await __perdure__.call(__sites__[0], TOOLS[item.name], **xs)",
    ),
    ("await helper(1)", "await helper(1)"),
    ("c = helper(1)\nawait c", "c = __perdure__.call(__sites__[0], helper, 1)\nawait c"),
    (
        "await asyncio.gather(*[fetch(x) for x in xs])",
        "await __perdure__.gather(__sites__[0], "
        "*[__perdure__.call(__sites__[1], fetch, x) for x in xs])",
    ),
    (
        "await event('go', timeout='1d')",
        "await __perdure__.event(__sites__[0], 'go', timeout='1d')",
    ),
    (
        "async with asyncio.timeout(5):\n    await sleep(1)",
        "async with __perdure__.timeout(__sites__[0], 5):\n"
        "    await __perdure__.sleep(__sites__[1], 1)",
    ),
    (
        "async with asyncio.TaskGroup() as g:\n    t = g.create_task(fetch(1))",
        "async with __perdure__.task_group(__sites__[0]) as g:\n"
        "    t = g.create_task(__perdure__.call(__sites__[1], fetch, 1))",
    ),
    (
        "h = await child.start(1, id='a')",
        "h = await __perdure__.start(__sites__[0], child, 1, id='a')",
    ),
    (
        "await child.run('a').send('go', 1)",
        "await __perdure__.send(__sites__[0], child.run('a'), 'go', 1)",
    ),
    ("return datetime.now(UTC), time.time()", "return (__perdure__.now(UTC), __perdure__.time())"),
    ("return random.choice(xs)", "return __perdure__.rng().choice(xs)"),
    (
        "return sorted(xs, key=lambda x: random.random())",
        "return sorted(xs, key=lambda x: __perdure__.random())",
    ),
    ("now = datetime.now\nreturn now()", "now = __perdure__.now\nreturn __perdure__.now()"),
    (
        "await gather(*map(fetch, xs))",
        "await __perdure__.gather(__sites__[0], "
        "*map(lambda *_: __perdure__.call(__sites__[1], fetch, *_), xs))",
    ),
    ("print('a', end='')", "__perdure__.print('a', end='')"),
    ("list(map(print, xs))", "list(map(__perdure__.print, xs))"),
    ("log.info('a %s', 1)", "__perdure__.log(log, 'info', 'a %s', 1)"),
    (
        "def f(x=time.time()):\n    return time.time()\nreturn f()",
        "def f(x=__perdure__.time()):\n    return __perdure__.time()\nreturn f()",
    ),
    ("x: float = time.time()", "x: float = __perdure__.time()"),
    (
        "undo = [lambda: fetch(1)]\nawait undo[0]()",
        "undo = [lambda: __perdure__.call(__sites__[1], fetch, 1)]\n"
        "await __perdure__.call(__sites__[0], undo[0])",
    ),
]
MODULE = """
@flow
async def child(n: int): ...
async def helper(x): return await fetch(x)
TOOLS = {"a": fetch}
"""


@pytest.mark.parametrize(("body", "expected"), FORMS)
def test_calls_take_their_recorded_form(body: str, expected: str) -> None:
    analysis = analyse(flow_text(body, MODULE))
    assert analysis.report.diagnostics == ()
    tree = instrument.module(analysis.modules["flow"], analysis)
    (main,) = [n for n in tree.body if isinstance(n, ast.AsyncFunctionDef) and n.name == "main"]
    assert "\n".join(ast.unparse(node) for node in main.body) == expected


def test_step_bodies_annotations_and_module_code_stay_as_written() -> None:
    before = """
    STARTED = time.time()
    @step
    async def work(x: float = time.time()) -> str:
        "Says print()."
        print(x)
        await asyncio.sleep(1)
        return await fetch(1)
    """
    text = flow_text("return await work(1)", before)
    analysis = analyse(text)
    tree = instrument.module(analysis.modules["flow"], analysis)
    plain = ast.unparse(ast.parse(text)).replace(
        "return await work(1)", "return await __perdure__.call(__sites__[0], work, 1)"
    )
    assert ast.unparse(tree) == plain


def test_functions_that_only_steps_use_stay_as_written() -> None:
    before = """
    def stamp():
        return time.time()
    @step
    def work(x):
        return stamp()
    """
    analysis = analyse(flow_text("return await work(1)", before))
    assert "return time.time()" in ast.unparse(
        instrument.module(analysis.modules["flow"], analysis)
    )


def test_default_factories_of_classes_that_flows_make_are_recorded() -> None:
    before = """
    from uuid import uuid4
    @dataclass
    class Job:
        at: datetime = field(default_factory=datetime.now)
        key: str = field(default_factory=lambda: str(uuid4()))
        names: list[str] = field(default_factory=list)
        def age(self):
            return time.time()
    """
    analysis = analyse(flow_text("job = Job()\nreturn job.age()", before))
    assert analysis.report.diagnostics == ()
    shown = ast.unparse(instrument.module(analysis.modules["flow"], analysis))
    assert "field(default_factory=__perdure__.now)" in shown
    assert "field(default_factory=lambda: str(__perdure__.uuid4()))" in shown
    assert "return __perdure__.time()" in shown


def test_positions_are_the_users() -> None:
    analysis = analyse(flow_text("x = await fetch(\n    1)\nreturn x"))
    tree = instrument.module(analysis.modules["flow"], analysis)
    places = {
        (node.lineno, node.col_offset)
        for node in ast.walk(analysis.modules["flow"].tree)
        if isinstance(node, ast.expr | ast.stmt)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.expr | ast.stmt):
            assert (node.lineno, node.col_offset) in places
    compile(tree, "flow.py", "exec")


@pytest.mark.parametrize("index", range(len(seeds())))
def test_it_is_deterministic_and_leaves_the_tree_alone(index: int) -> None:
    text = seeds()[index]
    first, second = analyse(text, None), analyse(text, None)
    for one, two in ((first, second),):
        if not one.ok:
            pytest.skip("the file has several flows")
        module = one.modules["flow"]
        made = ast.dump(instrument.module(module, one), include_attributes=True)
        assert made == ast.dump(
            instrument.module(two.modules["flow"], two), include_attributes=True
        )
        assert ast.unparse(module.tree) == ast.unparse(ast.parse(text))
        assert one.sites == two.sites


def test_temporaries_take_the_place_of_nodes() -> None:
    analysis = analyse(flow_text("return len(await fetch(1)) + time.time()"))
    main = analysis.functions[analysis.entry].node
    assert isinstance(main, ast.AsyncFunctionDef)
    (statement,) = main.body
    assert isinstance(statement, ast.Return)
    assert statement.value is not None
    awaited = next(node for node in ast.walk(statement) if isinstance(node, ast.Await))
    replaced: dict[int, ast.expr] = {id(awaited): ast.Name("_1", ast.Load())}
    made = instrument.expression(statement.value, analysis, replaced)
    assert ast.unparse(made) == "len(_1) + __perdure__.time()"
    (copied,) = instrument.statements([statement], analysis, replaced)
    assert ast.unparse(copied) == "return len(_1) + __perdure__.time()"


PURE = '''
def main(words):
    """Counts."""
    from collections import Counter
    counts: dict[str, int] = {}
    for word in words:
        counts[word] = counts.get(word, 0) + 1
    total = 0
    def add(n, /, *more, scale=2, **rest):
        nonlocal total
        total += n * scale + sum(more) + len(rest)
        return total
    parts = [add(n, n, scale=n, a=1) for n in counts.values() if (m := n) > 0]
    first, *others = sorted(counts, key=lambda w: (-counts[w], w)) or [None]
    match words:
        case [one]:
            kind = f"one {one!r:>5}"
        case [_, *tail] if len(tail) > 1:
            kind = "many"
        case _:
            kind = "few"
    try:
        assert total < 1000, "big"
        ratio = 1 / (len(words) - 3)
    except ZeroDivisionError as error:
        ratio = str(error)
    else:
        ratio = round(ratio, 3)
    finally:
        parts.append(-1)
    while total > 10:
        total -= 7
        if total == 3:
            break
    else:
        kind += "!"
    return first, others, kind, ratio, parts, total, {**counts}, Counter(words), m if counts else 0
'''


def test_code_without_operations_means_what_it_meant() -> None:
    text = f"{PRELUDE}\n{PURE}\n@flow\nasync def start(xs):\n    return main(xs)\n"
    analysis = analyse(text, "start")
    assert analysis.report.diagnostics == ()
    plain: dict[str, object] = {"__name__": "flow"}
    exec(PURE, plain)
    made: dict[str, object] = {"__name__": "flow"}
    tree = instrument.module(analysis.modules["flow"], analysis)
    functions = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "main"]
    exec(compile(ast.Module([*functions], []), "flow.py", "exec"), made)
    for words in ([], ["a"], ["a", "b"], ["a", "b", "a"], list("abracadabra")):
        one, two = plain["main"], made["main"]
        assert callable(one)
        assert callable(two)
        assert one(words) == two(words)
