"""The command that wakes a run, as it is printed, works; and what does not fit says what would."""

import shlex
from pathlib import Path

import pytest

from tests.local.project import command, write_project

FLOW = """
import asyncio
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Literal, NamedTuple, TypedDict
from uuid import UUID

from pydantic import BaseModel
from perdure import event, flow

class Color(Enum):
    RED = 1
    BLUE = 2

class Place(NamedTuple):
    x: int
    y: float

class Box(TypedDict):
    size: int

@dataclass
class Address:
    street: str
    since: date

@dataclass
class Decision:
    verdict: Literal["1", "no"]
    color: Color
    when: datetime
    boom: bool
    address: Address
    at: Place
    tags: list[str]
    pair: tuple[int, str]
    boxes: dict[str, Box]
    wait: timedelta
    cost: Decimal
    ref: UUID
    maybe: str | None
    note: str = ""

class Model(BaseModel):
    kind: Literal["a b", "c"]
    color: Color

@dataclass
class Picky:
    name: str
    def __post_init__(self) -> None:
        if self.name != "me":
            raise ValueError("not me")

type Tree = list[Tree] | int

@flow
async def waits(
    n: int = 0, flag: bool = False, topics: list[str] = [], note: str | None = None
) -> str:
    match n:
        case 0: got: object = await event("e0", Decision)
        case 1: got = await event("e1", Literal["yes", "no"])
        case 2: got = await event("e2", Color)
        case 3: got = await event("e3", datetime)
        case 4: got = await event("e4", Model)
        case 5: got = await event("e5", str)
        case 6: got = await event("e6", Annotated[int, "x"] | None)
        case 7: got = await event("e7", list[Address])
        case 8: got = await event("e8", Box)
        case 9: got = await event("e9")
        case 10: got = await event("e10", Tree)
        case 11: got = await event("e11", dict[Color, int])
        case 12: got = await event("e12", Picky)
        case _: got = note
    return repr(got)

@flow
async def limited() -> str:
    try:
        return await asyncio.wait_for(event("go", str), 3600)
    except TimeoutError:
        return "late"

@flow
async def around() -> str:
    async with asyncio.timeout(3600):
        await asyncio.gather(event("a", str), event("b", str, timeout=60))
    return ""
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_project(tmp_path, app=FLOW)


def _wake(said: str) -> list[str]:
    line = next(line for line in said.splitlines() if " send " in line)
    return shlex.split(line[line.index("send ") :])


@pytest.mark.parametrize("number", range(12))
def test_the_printed_command_fits_the_declared_type(number: int, root: Path) -> None:
    said = command(root, "run", "app.py:waits", f"n={number}", "--detach", code=4)
    command(root, *_wake(said))


def test_where_no_value_is_known_to_fit_the_form_is_shown(root: Path) -> None:
    said = command(root, "run", "app.py:waits", "n=12", "--detach", code=4)
    assert _wake(said)[-2:] == ["--payload", "JSON"]


def test_values_are_what_fits_the_declared_type(root: Path) -> None:
    given = {
        "note=7": "'7'",
        "note=null": "None",
        "note=x y": "'x y'",
        'note="x y"': "'x y'",
    }
    for argument, shown in given.items():
        assert shown in command(root, "run", "app.py:waits", "n=99", argument)


def test_what_does_not_fit_is_told_with_an_example(root: Path) -> None:
    for argument, such in {
        "flag=yes": "`flag` is bool, such as `flag=true`",
        "n=one": "`n` is int, such as `n=1`",
        "topics=tea": "`topics` is list[str], such as `topics='[\"text\"]'`",
    }.items():
        assert such in command(root, "run", "app.py:waits", argument, code=2)
    command(root, "run", "app.py:waits", "n=5", "--id", "r", "--detach", code=4)
    said = command(root, "send", "r", "e5", "hello", code=2)
    assert "`hello` is no `key=value`; the payload of `e5` is str: " in said
    assert "write `--payload '\"hello\"'`" in said
    assert "such as `--payload '\"text\"'`" in command(root, "send", "r", "e5", code=2)
    assert "'hello'" in command(root, "send", "r", "e5", "--payload", '"hello"')


def test_a_deadline_around_the_wait_is_shown(root: Path) -> None:
    for flow, waits in (("limited", 1), ("around", 2)):
        said = command(root, "run", f"app.py:{flow}", "--detach", code=4)
        assert said.count(" until 20") == waits
        assert command(root, "show").count("waits until 20") == waits


def test_an_event_id_is_one_event(root: Path) -> None:
    command(root, "run", "app.py:waits", "n=5", "--id", "r", "--detach", code=4)
    once = ("send", "r", "e5", "--no-drive", "--event-id", "a", "--payload")
    assert "already" not in command(root, *once, '"x"')
    assert "`e5` with the id `a` is there already" in command(root, *once, '"x"')
    said = command(root, *once, '"y"', code=2)
    assert "an event with the id `a` is there already, with another payload" in said
    said = command(root, "send", "r", "e9", "--event-id", "a", code=2)
    assert "is there already, as `e5`" in said
    assert "'x'" in command(root, "resume", "r")


@pytest.mark.parametrize("identity", ["last", "x" * 81])
def test_an_id_that_cannot_be_used_later_is_refused(identity: str, root: Path) -> None:
    said = command(root, "run", "app.py:waits", "--id", identity, code=2)
    assert "as in `--id order-17`" in said
    assert not (root / ".perdure").exists()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("x" * 81, "at most 80 characters, this one 81"),
        ("x" * 3_000, "at most 80 characters, this one 3000"),
        ("é", "`é` is no run id"),
        ("order-2", "the nearest is `order-1`"),
    ],
)
def test_the_verbs_say_what_is_wrong_with_an_id_that_no_run_has(
    name: str, why: str, root: Path
) -> None:
    command(root, "run", "app.py:waits", "--id", "order-1", "--detach", code=4)
    for words in (("show", name), ("send", name, "e5"), ("cancel", name), ("resume", name)):
        said = command(root, *words, code=2)
        assert "no run has the id `" in said
        assert why in said
        assert len(said) < 400


def test_the_next_commands_after_init_can_be_typed(tmp_path: Path) -> None:
    said = command(tmp_path, "init", "my agent's")
    line = next(line for line in said.splitlines() if line.startswith("  cd "))
    assert shlex.split(line) == ["cd", "my agent's"]
