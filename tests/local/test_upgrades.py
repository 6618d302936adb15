"""A flow that changed while runs of it wait: told by line, finished on the old source, or moved."""

import json
from pathlib import Path

import pytest

from tests.local.project import command, write_project

FLOW = """
import asyncio
from perdure import event, flow, gather, sleep, step


@step
async def price(item: str) -> int:
    return len(item)


@flow
async def part(item: str) -> int:
    first = await price(item)
    return first + await event("part", int)


@flow
async def order(item: str) -> int:
    first = await price(item)
    both = await gather(price(item + "a"), price(item + "b"))
    wait = await event("go", int)
    inner = await part(item)
    return first + sum(both) + wait + inner
"""
START = ("run", "app.py:order", "item=tea", "--id", "a", "--detach")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = write_project(tmp_path, app=FLOW)
    command(made, *START, code=4)
    return made


def change(root: Path, old: str, new: str) -> int:
    """Change the flow; the line where it changed."""
    text = (root / "app.py").read_text()
    assert text.count(old) == 1
    (root / "app.py").write_text(text.replace(old, new))
    return text[: text.index(old)].count("\n") + 1


FITS = [
    ("inner = await part(item)", "inner = 2 * await part(item)"),
    ("wait = await event", "# a person decides\n    wait = await event"),
    ('wait = await event("go", int)', "wait = await price('new') + await event('go', int)"),
    ('wait = await event("go", int)', "wait = 5"),
    (
        "first = await price(item)\n    both",
        'text = "te" + "a"\n    first = await price(text)\n    both',
    ),
]


@pytest.mark.parametrize(("old", "new"), FITS)
def test_a_history_that_fits_goes_over(root: Path, old: str, new: str) -> None:
    line = change(root, old, new)
    out = command(root, "resume", "a", "--detach", code=4)
    assert "`app.py` changed since the run began" in out
    assert f"changed: app.py:{line}" in out
    assert "its history fits the new source: `perdure resume a --move` goes over" in out
    out = command(root, "resume", "a", "--move", "--detach", code=4)
    assert "goes over to the new source" in out
    assert "changed" not in command(root, "resume", "a", "--detach", code=4)
    for name in ("go", "part"):
        run = "a" if name == "go" else "a/part"
        if name == "part" or "5" not in new:
            command(root, "send", run, name, "--payload", "1", code=4 if name == "go" else 0)
    shown = json.loads(command(root, "show", "a", "--json"))
    assert shown["status"] == "completed"
    assert sum(each["name"] == "price" for each in shown["operations"]) == 3 + ("'new'" in new)


MISFITS = [
    ("first = await price(item)\n    both", "first = 3\n    both", "has come to `price"),
    ('price(item + "a")', 'price(item + "c")', "gets other arguments now"),
    ('gather(price(item + "a"), price(item + "b"))', "gather(part(item))", "gather[0]/"),
    (
        "both = await gather",
        "more = await part(item)\n    both = await gather",
        "has come to `gather[0]/price",
    ),
]


@pytest.mark.parametrize(("old", "new", "said"), MISFITS)
def test_a_history_that_does_not_fit_stays_with_its_source(
    root: Path, old: str, new: str, said: str
) -> None:
    change(root, old, new)
    out = command(root, "resume", "a", "--detach", code=4)
    assert "it cannot go over to the new source: app.py:" in out
    assert said in out
    refused = command(root, "resume", "a", "--move", code=2)
    assert said in refused
    assert "it goes on with the source it began with" in refused
    out = command(root, "resume", "a", "--old-source", "--detach", code=4)
    assert "changed" not in out
    command(root, "send", "a", "go", "--payload", "1", code=4)
    assert command(root, "send", "a/part", "part", "--payload", "1").startswith("16\n")


def test_a_source_that_is_refused_is_told(root: Path) -> None:
    change(root, "wait = await event", "yield 1\n    wait = await event")
    out = command(root, "resume", "a", "--detach", code=4)
    assert "cannot be loaded: PDR" in out
    assert "cannot be loaded: PDR" in command(root, "resume", "a", "--move", code=2)
    (root / "app.py").unlink()
    assert "no file `app.py` any more" in command(root, "resume", "a", "--detach", code=4)


def test_a_worker_goes_on_with_the_source_each_run_began_with(root: Path) -> None:
    change(root, "wait + inner", "wait + inner + 1000")
    command(root, "run", "app.py:order", "item=tea", "--id", "b", "--detach", code=4)
    for run in ("a", "b"):
        command(root, "send", run, "go", "--payload", "1", "--no-drive")
    command(root, "worker", "--once")
    for run in ("a", "b"):
        command(root, "send", f"{run}/part", "part", "--payload", "1", "--no-drive")
    command(root, "worker", "--once")
    results = {r: json.loads(command(root, "show", r, "--json"))["result"] for r in ("a", "b")}
    assert results == {"a": 16, "b": 1016}


def test_a_fork_that_does_not_fit_the_new_source_makes_no_run(root: Path) -> None:
    change(root, 'price(item + "a")', 'price(item + "c")')
    at = ("fork", "a", "--at", "go", "--id", "b")
    assert "cannot go over" in command(root, *at, "--move", code=2)
    assert "no fault" in command(root, *at, "--inject", "price=explode", code=2)
    assert "no run has the id `b`" in command(root, "show", "b", code=2)
