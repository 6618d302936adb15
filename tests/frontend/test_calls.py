"""What each call is, its label and its site; what functions are reached, and which hold
operations."""

import ast
from pathlib import Path

import pytest

from perdure.diagnostics import Report
from perdure.frontend.analysis import Analysis, CallFact, CallKind
from perdure.frontend.check import Workspace, check
from perdure.project import Project
from tests.frontend.sources import analyse, flow_text


def fact(analysis: Analysis, written: str) -> CallFact:
    """The fact about the call that is written like this."""
    for module in analysis.modules.values():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and ast.unparse(node) == written:
                found = analysis.call(node)
                if found is not None:
                    return found
    raise AssertionError(f"no call {written}")


KINDS = [
    ("await fetch(1)", "fetch(1)", CallKind.STEP, "fetch", None),
    (
        "await fetch.options(timeout=5)(1)",
        "fetch.options(timeout=5)(1)",
        CallKind.STEP,
        "fetch",
        None,
    ),
    ("await child(1)", "child(1)", CallKind.FLOW, "child", None),
    ("await helper(1)", "helper(1)", CallKind.HELPER, "helper", None),
    ("await TOOLS['a'](1)", "TOOLS['a'](1)", CallKind.TABLE, "TOOLS", None),
    ("await TOOLS.get('a')(1)", "TOOLS.get('a')(1)", CallKind.TABLE, "TOOLS", None),
    ("tool = TOOLS['a']\nawait tool(1)", "tool(1)", CallKind.TABLE, "tool", None),
    ("for s in STEPS:\n    await s(1)", "s(1)", CallKind.TABLE, "s", None),
    ("f = json.loads(xs)\nawait f(1)", "f(1)", CallKind.VALUE, "f", None),
    ("await event('go')", "event('go')", CallKind.NATIVE, "go", "event"),
    ("await event(item.name)", "event(item.name)", CallKind.NATIVE, "event", "event"),
    ("await sleep(5)", "sleep(5)", CallKind.NATIVE, "sleep", "sleep"),
    ("await asyncio.sleep(5)", "asyncio.sleep(5)", CallKind.NATIVE, "sleep", "sleep"),
    ("await gather(fetch(1))", "gather(fetch(1))", CallKind.NATIVE, "gather", "gather"),
    ("await race(a=fetch(1))", "race(a=fetch(1))", CallKind.NATIVE, "race", "race"),
    (
        "async with asyncio.timeout(5):\n    pass",
        "asyncio.timeout(5)",
        CallKind.NATIVE,
        "timeout",
        "timeout",
    ),
    (
        "async with asyncio.TaskGroup() as g:\n    g.create_task(fetch(1))",
        "asyncio.TaskGroup()",
        CallKind.NATIVE,
        "group",
        "task_group",
    ),
    (
        "async with asyncio.TaskGroup() as g:\n    g.create_task(fetch(1))",
        "g.create_task(fetch(1))",
        CallKind.NATIVE,
        "",
        "create_task",
    ),
    (
        "h = await child.start(1)\nawait h.send('x', 1)",
        "child.start(1)",
        CallKind.NATIVE,
        "start",
        "start",
    ),
    (
        "h = await child.start(1)\nawait h.send('x', 1)",
        "h.send('x', 1)",
        CallKind.NATIVE,
        "send",
        "send",
    ),
    ("return datetime.now(UTC)", "datetime.now(UTC)", CallKind.READ, "", "now"),
    ("return time.time()", "time.time()", CallKind.READ, "", "time"),
    ("return random.choice(xs)", "random.choice(xs)", CallKind.READ, "", "rng"),
    ("print(1)", "print(1)", CallKind.LOG, "", "print"),
    ("log.info('a')", "log.info('a')", CallKind.LOG, "", "info"),
    ("logging.error('a')", "logging.error('a')", CallKind.LOG, "", "error"),
    (
        "l = logging.getLogger('a').getChild('b')\nl.debug('a')",
        "l.debug('a')",
        CallKind.LOG,
        "",
        "debug",
    ),
    ("return len(xs)", "len(xs)", CallKind.PURE, "", None),
    ("return xs.strip()", "xs.strip()", CallKind.PURE, "", None),
    ("return plain(1)", "plain(1)", CallKind.PURE, "", None),
    ("f = lambda x: x\nreturn f(1)", "f(1)", CallKind.PURE, "", None),
]
MODULE = """
@flow
async def child(n: int): ...
async def helper(x):
    return await fetch(x)
def plain(x):
    return x
TOOLS = {"a": fetch, "b": price}
STEPS = [fetch, price]
"""


@pytest.mark.parametrize(("body", "written", "kind", "label", "native"), KINDS)
def test_calls_are_classified(
    body: str, written: str, kind: CallKind, label: str, native: str | None
) -> None:
    analysis = analyse(flow_text(body, MODULE))
    assert analysis.report.diagnostics == ()
    found = fact(analysis, written)
    assert (found.kind, found.label, found.native) == (kind, label, native)
    assert (found.site is not None) == bool(label)


ALIASES = """
import perdure as p
import asyncio as aio
from asyncio import gather as together, TaskGroup, timeout as within
from perdure import step as s, flow as f, event as wait_for_event
from datetime import datetime as dt
import datetime as calendar
from uuid import uuid4 as fresh
import random as r
from random import choice

@s
async def one(x): ...

@p.step(retry=3)
async def two(x): ...

three = p.step(retry=2)(print)
four = s(len)

@f
async def main(xs):
    await one(1)
    await two(2)
    await three(3)
    await four(4)
    await together(one(5))
    await aio.gather(one(6))
    await p.sleep(1)
    await wait_for_event("go")
    async with TaskGroup() as group, within(5):
        group.create_task(one(7))
    return dt.now(), calendar.datetime.now(), fresh(), choice(xs), r.random()
"""


def test_import_aliases_are_followed() -> None:
    analysis = analyse(ALIASES)
    assert analysis.report.diagnostics == ()
    labels = [site.label for site in analysis.sites["flow"]]
    assert labels == [
        *("one", "two", "three", "four", "gather", "one.2", "gather.2", "one.3", "sleep", "go"),
        *("group", "timeout", "one.4"),
    ]
    assert [fact.name for fact in analysis.steps.values()] == ["one", "two", "three", "four"]


def test_labels_number_within_a_function_and_name_helpers() -> None:
    body = """
    await fetch(1)
    await helper(1)
    async def inner(x):
        await fetch(x)
        return await fetch(x)
    undo = [lambda: fetch(3), lambda: fetch(4)]
    await gather(inner(1), *[u() for u in undo])
    await fetch(2)
    """
    analysis = analyse(flow_text(body, MODULE))
    labels = sorted(site.label for site in analysis.sites["flow"])
    assert labels == sorted(
        [
            "fetch",
            "fetch.2",
            "helper",
            "helper.fetch",
            "main.inner.fetch",
            "main.inner.fetch.2",
            "main.lambda.fetch",
            "main.lambda.fetch.2",
            "gather",
            "inner",
            "u",
        ]
    )


def test_labels_are_stable_under_edits_elsewhere() -> None:
    before = analyse(flow_text("await helper(1)\nawait fetch(1)", MODULE))
    changed = MODULE.replace("return await fetch(x)", "await price(x)\n    return await fetch(x)")
    after = analyse(
        flow_text("if xs:\n    await sleep(1)\nawait helper(1)\nawait fetch(1)", changed)
    )
    labels = {site.label for site in after.sites["flow"]}
    assert {site.label for site in before.sites["flow"]} < labels


def test_sites_point_at_the_call() -> None:
    analysis = analyse(flow_text("é = 'ü'; await fetch(1)"))
    (site,) = analysis.sites["flow"]
    line = analysis.modules["flow"].source.lines[site.line - 1]
    assert line[site.column : site.end_column] == "fetch(1)"
    assert site.file == "flow.py"


def test_operations_spread_through_helpers_and_end_at_steps() -> None:
    before = """
    async def a(x):
        return await b(x)
    async def b(x):
        return await fetch(x)
    async def c(x):
        return x
    def d(x):
        return fetch(x)
    """
    analysis = analyse(flow_text("await a(1)\nawait c(1)\nawait d(1)", before))
    found = {str(ref): info.has_operations for ref, info in analysis.functions.items()}
    assert found == {
        "flow:main": True,
        "flow:a": True,
        "flow:b": True,
        "flow:c": False,
        "flow:d": True,
    }


def test_recursive_helpers_are_known() -> None:
    before = """
    async def a(n):
        return await b(n - 1) if n else 0
    async def b(n):
        await fetch(n)
        return await a(n)
    """
    analysis = analyse(flow_text("return await a(3)", before))
    assert {info.qualname for info in analysis.functions.values() if info.recursive} == {"a", "b"}


def test_free_names_and_nonlocals_are_known() -> None:
    body = """
    total = 0
    def add(x):
        nonlocal total
        total += x + len(xs)
    add(1)
    return total
    """
    analysis = analyse(flow_text(body))
    (add,) = [info for info in analysis.functions.values() if info.qualname == "main.add"]
    assert add.free == {"total", "xs"}
    assert (*add.nonlocals, *add.locals) == ("total", "x")


def write(root: Path, **files: str) -> None:
    for name, text in files.items():
        path = root / (name.replace("__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


def test_the_project_is_followed_through_re_exports_and_packages(tmp_path: Path) -> None:
    write(
        tmp_path,
        lib__tools="from perdure import step\n@step\nasync def fetch(x): ...\nasync def both(x):\n"
        "    return await fetch(x)\nLIMIT = 3\n"
        "from dataclasses import dataclass\n@dataclass\nclass Agent:\n    async def act(self, x):\n"
        "        return await fetch(x)\n    def shown(self):\n        return 'agent'\n",
        lib__face="from lib.tools import *\nfrom .tools import fetch as get, both\n",
        flows__main="import lib.tools\nfrom lib import face\nfrom lib.face import get, Agent\n"
        "from perdure import flow\n@flow\nasync def main(x):\n    a = Agent()\n"
        "    await get(x)\n    await face.both(x)\n    await lib.tools.fetch(lib.tools.LIMIT)\n"
        "    return await a.act(x), a.shown(), face.LIMIT\n",
    )
    analysis = check(Project(tmp_path), tmp_path / "flows/main.py", "main")
    assert analysis.report.diagnostics == ()
    assert [str(ref) for ref in analysis.steps] == ["lib.tools:fetch"]
    assert {str(ref) for ref in analysis.functions} == {
        "flows.main:main",
        "lib.tools:both",
        "lib.tools:Agent.act",
        "lib.tools:Agent.shown",
    }
    labels = {site.label for sites in analysis.sites.values() for site in sites}
    assert labels == {"get", "both", "fetch", "act", "both.fetch", "Agent.act.fetch"}


def test_one_flow_is_found_without_its_name_and_several_are_named(tmp_path: Path) -> None:
    write(tmp_path, one="from perdure import flow\n@flow\nasync def a(x): ...\n")
    assert str(check(Project(tmp_path), tmp_path / "one.py").entry) == "one:a"
    two = (
        "from perdure import flow\n@flow\nasync def alpha(x): ...\n@flow\nasync def beta(x): ...\n"
    )
    write(tmp_path, two=two)
    analysis = check(Project(tmp_path), tmp_path / "two.py", "alhpa")
    (found,) = analysis.report.diagnostics
    assert found.code == "PDR202"
    assert "`two.py:alpha`" in found.help


def test_a_second_flow_of_a_workspace_reuses_what_was_read(tmp_path: Path) -> None:
    write(
        tmp_path,
        two="from perdure import flow\n@flow\nasync def a(x): ...\n@flow\nasync def b(x): ...\n",
    )
    workspace = Workspace(Project(tmp_path), Report())
    first = check(Project(tmp_path), tmp_path / "two.py", "a", workspace=workspace)
    second = check(Project(tmp_path), tmp_path / "two.py", "b", workspace=workspace)
    assert first.modules["two"] is second.modules["two"]
    assert [str(ref) for ref in second.functions] == ["two:b"]


def test_a_container_that_another_module_changes_is_not_fixed(tmp_path: Path) -> None:
    flow = (
        "from perdure import flow\nimport lib\n@flow\nasync def main(x):\n"
        "    return lib.LIMITS['a']\n"
    )
    write(tmp_path, lib="LIMITS = {'a': 1}\n", main=flow)
    assert check(Project(tmp_path), tmp_path / "main.py").report.ok
    write(tmp_path, main=flow + "import lib as other\ndef put():\n    other.LIMITS['b'] = 2\n")
    analysis = check(Project(tmp_path), tmp_path / "main.py")
    assert [found.code for found in analysis.report.diagnostics] == ["PDR114"]
