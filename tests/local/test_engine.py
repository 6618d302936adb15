"""The local engine in virtual time: crashes after every entry, cancelling, events, children."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from perdure.frontend.loader import LoadedFlow, load
from perdure.local.log import Entry
from perdure.local.virtual import run_flow
from perdure.project import Project
from perdure.testing import run as run_flow_of
from perdure.testing.request import Request, Result, ScriptedEvent
from perdure.testing.scripts import Scripts, after
from perdure.trace import compare
from tests.local.project import write_project

FLOWS = """
import asyncio
import random
import uuid
from dataclasses import dataclass
from datetime import datetime

from perdure import Retry, event, flow, gather, progress, quorum, race, reply, sleep, step, this_run


@dataclass
class Order:
    id: str
    items: list[str]


@step
async def reserve(item: str) -> str: ...
@step
async def release(item: str) -> None: ...
@step(retry=Retry(attempts=3, delay="1s", jitter=False))
async def pay(order: Order) -> str: ...
@step
async def ship(item: str) -> str: ...
@step(timeout="5s")
async def slow(item: str) -> str: ...


@flow
async def saga(order: Order) -> list[str]:
    undo = []
    try:
        for item in order.items:
            held = await reserve(item)
            undo.append(lambda: release(held))
        await pay(order)
        decision = await event("shipped", timeout="1d")
        return await gather(*[ship(item) for item in order.items])
    except BaseException:
        for step in reversed(undo):
            await step()
        raise


@flow
async def races() -> list:
    out = []
    for n in range(3):
        winner, value = await race(word=event("word"), late=sleep("1h"), child=nap(n))
        out.append([winner, value])
    best = await quorum(2, slow("a"), slow("b"), slow("c"))
    out.append([list(pair) for pair in best])
    try:
        async with asyncio.timeout(30):
            await gather(sleep("10s"), event("never"))
    except TimeoutError:
        out.append("late")
    return out


@flow
async def nap(n: int) -> int:
    print("napping", n)
    await sleep(600 + n)
    return n


@flow
async def reads() -> list:
    first = [str(uuid.uuid4()), random.random(), datetime.now().isoformat(), this_run().id]
    await sleep(5)
    await progress({"half": True})
    second = await gather(draws("a"), draws("b"))
    return [first, second, datetime.now().isoformat()]


@flow
async def draws(name: str) -> list:
    await sleep(1)
    return [name, random.randint(0, 1000), await slow(name)]


@flow
async def chat() -> int:
    total = 0
    while True:
        n = await event("add", int)
        if n == 0:
            return total
        total += n
        await reply("add", total)


@flow
async def asks() -> list:
    other = await chat.start(id="the-chat")
    answers = [await other.ask("add", 3), await other.ask("add", 4)]
    await other.send("add", 0)
    try:
        await other.ask("add", 5)
    except Exception as error:
        answers.append(type(error).__name__)
    return answers
"""

ORDER = {"order": {"id": "o", "items": ["tent", "stove"]}}


type Script = Callable[..., object] | Sequence[object]


def held(item: str) -> str:
    return f"held {item}"


def held_slowly(item: str) -> object:
    return after("1s", held(item))


def dropped(item: str) -> None:
    return None


def paid(order: object) -> str:
    return "paid"


def paid_slowly(order: object) -> object:
    return after("1s", "paid")


def broke(order: object) -> object:
    return KeyError("x")


def sent(item: str) -> str:
    return f"sent {item}"


def doubled(item: str) -> object:
    return after("2s", item * 2)


def late(item: str) -> object:
    return after("6s", "y")


SLOW: Mapping[str, Script] = {"slow": doubled}
STEPS: Mapping[str, Mapping[str, Script]] = {
    "saga": {
        "reserve": held,
        "release": dropped,
        "pay": paid,
        "ship": sent,
    },
    "races": SLOW,
    "reads": SLOW,
    "draws": SLOW,
}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_project(tmp_path_factory.mktemp("app"), app=FLOWS) / "app.py"


def run(
    app: Path,
    flow: str,
    arguments: Mapping[str, object] | None = None,
    *,
    events: Sequence[tuple[float, str, object]] = (),
    steps: Mapping[str, Script] | None = None,
    cancel: float | None = None,
    crash_after: Sequence[int] = (),
) -> Result:
    request = Request(
        app,
        flow,
        arguments or {},
        Scripts(dict(STEPS.get(flow, {})) | dict(steps or {})),
        tuple(ScriptedEvent(*each) for each in events),
        cancel,
    )
    return run_flow(request, crash_after, loaded(app, flow))


@cache
def loaded(app: Path, flow: str) -> LoadedFlow:
    return load(Project(app.parent), app, flow)


def sweep(app: Path, flow: str, **how: object) -> Result:
    """Run once, then once for each place to crash after: every trace has to be equal."""
    whole = run(app, flow, **how)  # type: ignore[arg-type]  # passed on
    for entry in range(1, len(whole.history) + 1):
        crashed = run(app, flow, crash_after=[entry], **how)  # type: ignore[arg-type]
        assert compare(whole.whole_trace, crashed.whole_trace) == [], entry
        assert crashed.logs == whole.logs, f"log records are shown once ({entry})"
    return whole


CASES: Mapping[str, Mapping[str, object]] = {
    "shipped": {"flow": "saga", "arguments": ORDER, "events": [(60, "shipped", None)]},
    "never shipped": {"flow": "saga", "arguments": ORDER},
    "pay fails": {
        "flow": "saga",
        "arguments": ORDER,
        "steps": {"pay": broke},
    },
    "races": {"flow": "races", "events": [(30, "word", "hi"), (1000, "word", "ho")]},
    "reads": {"flow": "reads"},
    "asks": {"flow": "asks"},
}


@pytest.mark.parametrize("case", CASES)
def test_a_crash_after_any_entry_changes_nothing(app: Path, case: str) -> None:
    result = sweep(app, **CASES[case])  # type: ignore[arg-type]  # a table
    expected = {
        "shipped": ("done", ["sent tent", "sent stove"]),
        "races": (
            "done",
            [["word", "hi"], ["child", 1], ["word", "ho"], [[0, "aa"], [1, "bb"]], "late"],
        ),
        "asks": ("done", [3, 7, "Unanswered"]),
    }
    if case in expected:
        assert (result.status, result.result) == expected[case]


@pytest.mark.parametrize("seconds", [0.5, 1.0, 1.5, 2.5, 3600.0, 86400.0])
def test_cancelled_at_any_wait_the_flow_cleans_up(app: Path, seconds: float) -> None:
    slow_saga = {
        "reserve": held_slowly,
        "pay": paid_slowly,
    }
    result = sweep(app, "saga", arguments=ORDER, steps=slow_saga, cancel=seconds)
    released = [e.arguments["item"] for e in result.trace if e.name == "release"]
    # A cancellation goes before what ends at its instant. The lambdas share one variable, as in
    # Python. A step under way ends and is recorded, but
    # the flow never has its value.
    expected = {0.5: [], 1.0: [], 1.5: ["tent"]}.get(seconds, ["stove", "stove"])
    assert released == [f"held {item}" for item in expected]
    assert result.status == "cancelled"
    reserved = [e.outcome for e in result.trace if e.name == "reserve"]
    assert all(outcome != "cancelled" for outcome in reserved)


def kinds_of(result: Result) -> list[str]:
    """The kinds of the log's entries, in order."""
    # What an engine keeps as history is its own: here (run id, entry of the log).
    pairs: Any = result.history
    return [entry.kind for _, entry in pairs if isinstance(entry, Entry)]


def test_many_crashes_in_a_row_change_nothing(app: Path) -> None:
    how = CASES["shipped"]
    whole = run(app, **how)  # type: ignore[arg-type]  # a table
    crashed = run(app, crash_after=[2, 2, 1, 3, 1, 2], **how)  # type: ignore[arg-type]
    assert compare(whole.whole_trace, crashed.whole_trace) == []


def test_retries_count_across_crashes(app: Path) -> None:
    calls: list[int] = []

    def pay(order: object) -> object:
        calls.append(1)
        return KeyError("no funds")

    result = run(app, "saga", ORDER, steps={"pay": pay})
    (entry,) = [e for e in result.trace if e.name == "pay"]
    assert entry.attempts == 3
    failed = [n for n, kind in enumerate(kinds_of(result), 1) if kind == "failed"]
    calls.clear()
    run(app, "saga", ORDER, steps={"pay": pay}, crash_after=[failed[1]])
    assert len(calls) == 3


@pytest.mark.parametrize(
    ("when", "status"), [(0.0, "done"), (86400.0, "done"), (86401.0, "failed")]
)
def test_an_event_by_the_deadline_wins(app: Path, when: float, status: str) -> None:
    result = run(app, "saga", ORDER, events=[(when, "shipped", None)])
    assert result.status == status


@pytest.mark.parametrize("when", [10.0, 10.5, 11.0])
def test_an_event_wins_over_a_timer_of_its_instant_whatever_its_index(
    tmp_path: Path, when: float
) -> None:
    text = """
from perdure import event, flow, race, sleep


@flow
async def tie() -> str:
    winner, _ = await race(late=sleep(11), word=event("word"))
    return winner
"""
    root = write_project(tmp_path, ties=text)
    result = run_flow_of(f"{root}/ties.py", target="local", events=[(when, "word", None)])
    assert result.result == "word"


def test_a_run_that_nobody_wakes_is_waiting(app: Path) -> None:
    assert run(app, "chat").status == "waiting"


def test_a_step_that_takes_too_long_times_out(app: Path) -> None:
    result = run(app, "draws", {"name": "x"}, steps={"slow": late})
    assert type(result.error) is TimeoutError


def test_the_trace_names_places(app: Path) -> None:
    result = run(app, "draws", {"name": "x"})
    entry = result.trace[0]
    assert (entry.path, entry.kind, entry.span.file) == ("sleep", "sleep", "app.py")
