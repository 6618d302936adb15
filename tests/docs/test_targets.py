"""The table of docs/targets.md: small flows, compiled for each target."""

import json
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Final

import pytest

from perdure.cli.main import run
from tests.docs.pages import ROOT, kept

TARGETS = ("aws", "azure", "gcp")
HEADER = """import asyncio
from contextlib import asynccontextmanager
from perdure import event, flow, gather, progress, quorum, race, reply, sleep, step
@step
async def fetch(key: str) -> str: ...
@flow
async def other(key: str) -> str:
    return await fetch(key)
async def helper(key: str) -> str:
    return await fetch(key) + await fetch(key)
TOOLS = {"fetch": fetch}
@asynccontextmanager
async def lock(key: str):
    await fetch(key)
    try:
        yield
    finally:
        await fetch(key)
class Lease:
    def __init__(self, key: str) -> None:
        self.key = key
    async def __aenter__(self) -> str:
        return await fetch(self.key)
    async def __aexit__(self, *error: object) -> None:
        await fetch(self.key)
async def down(key: str) -> str:
    return await down(key[1:]) if key else await fetch(key)
async def tree(key: str) -> object:
    return await gather(tree(key[1:]), tree(key[2:])) if key else await fetch(key)
@flow
async def main(key: str, keys: list[str]) -> object:
"""
FORMS: Final[Mapping[str, str]] = {
    "steps, retries, timeouts": 'return await fetch.options(timeout="5m")(key)',
    "`if`, `while`, `for`, `match` around operations": (
        "for k in keys:\n        if k:\n            await fetch(k)\n    return None"
    ),
    "`await` inside expressions": "return [await fetch(k) for k in keys if await fetch(k)]",
    "`try`, `except`, `finally` around operations": (
        "try:\n        return await fetch(key)\n    finally:\n        await fetch(key)"
    ),
    "`except*` around operations": (
        "try:\n        await fetch(key)\n    except* ValueError:\n        await fetch(key)\n"
        "    return None"
    ),
    "helpers with operations": "return await helper(key)",
    "tables of steps": "return await TOOLS[key](key)",
    "functions as values": (
        "undo = []\n    undo.append(lambda: fetch(key))\n    await fetch(key)\n"
        "    for u in undo:\n        await u()\n    return None"
    ),
    "coroutine values kept in a list": (
        "todo = [fetch(k) for k in keys]\n    await fetch(key)\n    return [await t for t in todo]"
    ),
    "child flows": "return await other(key)",
    "events with a timeout": 'return await event("go", str, timeout="3d")',
    "computed event names": "return await event(key, str)",
    "`sleep`": 'await sleep("90s")\n    return None',
    "`progress`": "await progress(key)\n    return None",
    "`reply`": 'await event("ask", str)\n    await reply("ask", 1)\n    return None',
    "`gather` of given branches": "return await gather(fetch(key), helper(key))",
    "`gather` over a list, with `limit`": (
        "return await gather(*[fetch(k) for k in keys], limit=4)"
    ),
    "`gather(fail_fast=True)`": "return await gather(fetch(key), fetch(key), fail_fast=True)",
    "`race`": 'return await race(a=event("a"), b=sleep("1d"))',
    "`race(**computed)`": "return await race(**{k: fetch(k) for k in keys})",
    "`quorum(1, ...)`": "return await quorum(1, fetch(key), fetch(key))",
    "`quorum(2, ...)`": "return await quorum(2, fetch(key), fetch(key), fetch(key))",
    "`asyncio.timeout` around operations": (
        "async with asyncio.timeout(60):\n        return await fetch(key)"
    ),
    "`asyncio.TaskGroup`": (
        "async with asyncio.TaskGroup() as tg:\n        t = tg.create_task(fetch(key))\n"
        "    return t.result()"
    ),
    "own context managers with operations": (
        "async with lock(key):\n        return await fetch(key)"
    ),
    "context managers that are classes": (
        "async with Lease(key):\n        return await fetch(key)"
    ),
    "helpers that call themselves": "return await down(key)",
    "`gather` kept as a value": (
        "both = gather(fetch(key), fetch(key))\n    await fetch(key)\n    return await both"
    ),
    "nested functions that change variables (`nonlocal`)": (
        "done = 0\n    def note() -> None:\n        nonlocal done\n        done += 1\n"
        "    await fetch(key)\n    note()\n    return done"
    ),
    "`TaskGroup` whose body waits after `create_task`": (
        "async with asyncio.TaskGroup() as tg:\n        t = tg.create_task(fetch(key))\n"
        "        await fetch(key)\n    return t.result()"
    ),
    "a helper that calls itself in a branch of `gather`": "return await tree(key)",
    "`start` of another run": "await other.start(key)\n    return None",
}


@pytest.fixture(scope="module")
def refusals(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Mapping[str, str]]:
    """By form, by target: what PDR390 names; "" where the form compiles."""
    folder = tmp_path_factory.mktemp("forms")
    return {form: dict(_compiled(folder, code)) for form, code in FORMS.items()}


def _compiled(folder: Path, code: str) -> Iterator[tuple[str, str]]:
    (folder / "form.py").write_text(f"{HEADER}    {code}\n")
    for target in TARGETS:
        flow = f"{folder / 'form.py'}:main"
        said = StringIO()
        with redirect_stdout(said):
            run(["compile", flow, "-t", target, "--out", str(folder / "out"), "--json"])
        yield target, "; ".join(_named(json.loads(said.getvalue())["diagnostics"], target))


def _named(diagnostics: list[dict[str, str]], target: str) -> Iterator[str]:
    for each in diagnostics:
        assert each["code"] == "PDR390", each
        name = each["message"].removeprefix(f"{target} does not lower ").partition(" yet (")[0]
        yield name


def test_the_table_of_targets_is_what_they_take(
    refusals: Mapping[str, Mapping[str, str]], update: bool
) -> None:
    lines = ["| form | local | aws | azure | gcp |", "|---|---|---|---|---|"]
    for form, by_target in refusals.items():
        marks = (f"no: {by_target[t]}" if by_target[t] else "yes" for t in TARGETS)
        lines.append(f"| {form} | yes | {' | '.join(marks)} |")
    kept(ROOT / "docs/targets.md", "\n".join(lines), update)
