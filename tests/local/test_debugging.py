"""What helps when something is wrong: tracebacks, `retry`, `fork`, `--inject`, `show --follow`."""

import json
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.local.project import command, popen, write_project

FLOW = """
import asyncio
import os
from perdure import Retry, event, flow, gather, sleep, step


@step(retry=Retry(attempts=2, delay=0.1, jitter=False))
async def quote(item: str) -> int:
    with open("effects.txt", "a") as file:
        file.write(item + "\\n")
    return check(item)


def check(item: str) -> int:
    if item == "bad" and not os.path.exists("mended"):
        raise ValueError(f"no price for {item}")
    return len(item)


@flow
async def inner(item: str) -> int:
    return await quote(item) * 2


@flow
async def shop(items: list[str]) -> int:
    first = await quote("first")
    prices = await gather(*[inner(item) for item in items])
    print("prices", prices)
    more = await event("more", int, timeout="1h")
    return first + sum(prices) + more


@flow
async def careful(item: str) -> int:
    try:
        return await quote(item)
    except ValueError:
        await quote.options(name="excuse")("sorry")
        raise


@flow
async def clumsy(item: str) -> int:
    length = await quote(item)
    return [1, 2][length]


@flow
async def hasty(items: list[str]) -> list[int]:
    return await gather(*[slowly(item) for item in items], fail_fast=True)


@flow
async def slowly(item: str) -> int:
    length = await quote(item)
    await sleep(60 if item == "slow" else 0)
    return length


@flow
async def patient() -> int:
    return await event("go", int, timeout=4)
"""
BAD = ("run", "app.py:shop", 'items=["tea","bad"]', "--id", "a")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_project(tmp_path, app=FLOW)


def effects(root: Path) -> Counter[str]:
    return Counter((root / "effects.txt").read_text().splitlines())


def test_a_failure_says_where_the_flow_and_the_step_raised(root: Path) -> None:
    line = FLOW.splitlines().index('        raise ValueError(f"no price for {item}")') + 1
    out = command(root, "run", "app.py:careful", "item=bad", "--id", "a", code=1)
    assert "run a failed: ValueError: no price for bad" in out
    assert "in careful\n    return await quote(item)" in out
    assert f'line {line}, in check\n    raise ValueError(f"no price for {{item}}")' in out
    assert "perdure/" not in out.replace("perdure show", ""), "only the user's own lines"
    tree = command(root, "show", "a")
    assert f"line {line}, in check" in tree
    assert "in careful" in tree
    shown = json.loads(command(root, "show", "a", "--json"))
    assert "in check" in shown["operations"][0]["traceback"]
    assert "in check" in shown["operations"][0]["failures"][0]["traceback"]


def test_a_failed_run_is_retried_where_it_failed(root: Path) -> None:
    command(root, *BAD, code=1)
    assert "goes on at gather[1]/inner" in command(root, "retry", "a", code=1)
    (root / "mended").touch()
    out = command(root, "retry", "a", "--detach", code=4)
    assert "waits" in out
    assert "prices [6, 6]" in out
    assert json.loads(command(root, "send", "a", "more", "--payload", "1")) == 18
    assert effects(root) == {"first": 1, "tea": 1, "bad": 5}
    assert "has completed" in command(root, "retry", "a", code=2)


def test_what_followed_from_a_failure_is_not_retried(root: Path) -> None:
    command(root, "run", "app.py:careful", "item=bad", "--id", "a", code=1)
    out = command(root, "retry", "a", code=2)
    assert "the flow went on with `quote.2`" in out
    assert "perdure fork a --at quote" in out
    (root / "mended").touch()
    assert "3" in command(root, "fork", "a", "--at", "quote", "--id", "b")


def test_a_fault_of_the_flow_itself_is_told_by_line(root: Path) -> None:
    command(root, "run", "app.py:clumsy", "item=long", "--id", "a", code=1)
    out = command(root, "retry", "a", code=2)
    assert "failed in the flow itself" in out
    assert "in clumsy" in out
    (root / "app.py").write_text(FLOW.replace("[1, 2][length]", "[1, 2][length % 2]"))
    out = command(root, "fork", "a", "--at", "quote", "--id", "b", "--move")
    assert out.startswith("1\n")


def test_branches_that_a_failure_cancelled_go_on(root: Path) -> None:
    arguments = ("run", "app.py:hasty", 'items=["slow","bad"]', "--id", "a")
    command(root, *arguments, code=1)
    (root / "mended").touch()
    out = command(root, "retry", "a", "--detach", code=4)
    assert "run a/gather[0]/slowly sleeps" in out
    assert effects(root) == {"slow": 1, "bad": 3}


def test_a_wait_that_timed_out_is_waited_for_again(root: Path) -> None:
    command(root, "run", "app.py:patient", "--id", "a", code=1)
    process = popen(root, "retry", "a")
    assert process.stderr is not None
    for line in process.stderr:
        if "wake it with" in line:
            break
    command(root, "send", "a", "go", "--payload", "5")
    out, _ = process.communicate(timeout=30)
    assert out == "5\n"


def test_a_fork_begins_in_the_middle_with_what_was_before(root: Path) -> None:
    (root / "mended").touch()
    command(root, *BAD, "--detach", code=4)
    command(root, "send", "a", "more", "--payload", "1")
    out = command(root, "fork", "a", "--at", "more", "--id", "b", "--detach", code=4)
    assert "run b, from a at more" in out
    assert effects(root) == {"first": 1, "tea": 1, "bad": 1}, "nothing before it runs again"
    assert json.loads(command(root, "send", "b", "more", "--payload", "2")) == 19
    assert json.loads(command(root, "show", "a", "--json"))["result"] == 18
    inner = json.loads(command(root, "show", "b", "--json"))["operations"][1]["children"]
    assert [child["run"] for child in inner] == ["b/gather[0]/inner"]
    new = ("fork", "a", "--at", "gather[0]/inner", 'items=["x","yy"]', "--id", "c", "--detach")
    command(root, *new, code=4)
    assert effects(root) == {"first": 1, "tea": 1, "bad": 1, "x": 1, "yy": 1}
    assert json.loads(command(root, "send", "c", "more", "--payload", "0")) == 11


def test_a_fork_that_cannot_be_is_told(root: Path) -> None:
    (root / "mended").touch()
    command(root, *BAD, "--detach", code=4)
    assert "the nearest is `more`" in command(root, "fork", "a", "--at", "mroe", code=2)
    child = command(root, "fork", "a", "--at", "gather[0]/inner/quote", code=2)
    assert "fork at `gather[0]/inner`" in child
    assert "has the id `a` already" in command(
        root, "fork", "a", "--at", "more", "--id", "a", code=2
    )
    wrong = command(root, "fork", "a", "--at", "more", "itmes=[]", code=2)
    assert "the nearest is `items`" in wrong


def test_faults_are_injected(root: Path) -> None:
    start = ("run", "app.py:shop", 'items=["tea"]', "--detach")
    command(root, *start, "--id", "a", "--inject", "quote=fail:TypeError", code=4)
    shown = json.loads(command(root, "show", "a", "--json"))
    assert shown["operations"][0]["failures"][0]["error"] == "TypeError: injected"
    assert "injected" in command(root, *start, "--inject", "quote=fail*2", code=1)
    (root / "effects.txt").unlink()
    command(root, *start, "--id", "b", "--inject", "quote=twice", code=4)
    assert effects(root) == {"first": 2, "tea": 1}
    began = time.monotonic()
    command(root, *start, "--id", "c", "--inject", "*=delay:1s", code=4)
    assert time.monotonic() - began > 1
    command(root, *start, "--id", "d", "--inject", "quote=die", code=-signal.SIGKILL)
    command(root, "resume", "d", "--detach", code=4)
    shown = json.loads(command(root, "show", "d", "--json"))
    assert shown["operations"][0]["failures"] == [{"attempt": 1, "error": None}]
    for wrong, said in [
        ("quote", "is no fault"),
        ("quote=burn", "there are `fail`"),
        ("quote=fail:Nope", "no built-in exception"),
        ("quote=delay:soon", "--inject"),
        ("quote=die:1", "takes no value"),
        ("quote=fail*0", "for no attempt"),
        ("qoute=die", "no step of the flow is called `qoute`; the nearest is `quote`"),
        ("gather[0]/qoute=die", "the nearest is `quote`"),
    ]:
        assert said in command(root, *start, "--inject", wrong, code=2)


def test_a_fault_may_name_a_step_as_its_call_does(root: Path) -> None:
    start = ("run", "app.py:careful", "item=bad", "--inject", "quote=fail:ValueError*2")
    out = command(root, *start, "--inject", "excuse=fail:KeyError*2", code=1)
    assert "failed: KeyError: 'injected'" in out


def test_a_fault_that_no_attempt_met_is_told(root: Path) -> None:
    start = ("run", "app.py:shop", 'items=["tea"]', "--detach")
    faults = ("--inject", "quote#7=delay:1ms", "--inject", "gather[0]/inner/quote=twice*2")
    out = command(root, *start, *faults, "--inject", "quote=delay:1ms", code=4)
    assert "warning: no attempt met `--inject quote#7=delay:1ms`" in out
    assert "warning: no attempt met `--inject gather[0]/inner/quote=twice*2`" in out
    assert "quote=delay:1ms`" not in out.replace("quote#7", "")


def test_a_run_is_followed_with_its_children(root: Path) -> None:
    (root / "mended").touch()
    command(root, *BAD, "--detach", code=4)
    following = popen(root, "show", "a", "--follow")
    lines = popen(root, "show", "a", "--follow", "--json")
    time.sleep(1)
    command(root, "send", "a", "more", "--payload", "1")
    out, err = following.communicate(timeout=30)
    assert following.returncode == 0, err
    assert out.count("✓ more") == 1
    assert "result    18" in out
    out, err = lines.communicate(timeout=30)
    entries = [json.loads(line) for line in out.splitlines()]
    assert {entry["run"] for entry in entries} >= {"a", "a/gather[0]/inner"}
    assert [e["path"] for e in entries if e["kind"] == "end" and e["run"] == "a"][-1] == "more"
