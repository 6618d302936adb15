"""What the front end accepts because it has a meaning when it runs: the same on every target."""

from pathlib import Path

import pytest

from perdure.testing import run

FLOWS = """
import sys
import time

from perdure import flow, gather, race, step


@step
async def one(x: int) -> int:
    return x


@flow
async def nobody() -> str:
    try:
        await race()
    except ValueError as error:
        return str(error)
    return "no error"


@flow
async def none_at_once() -> str:
    try:
        await gather(one(1), one(2), limit=0)
    except ValueError as error:
        return str(error)
    return "no error"


@flow
async def clock() -> list[object]:
    day, year, text = time.strftime("%Y-%m-%d"), time.gmtime().tm_year, time.ctime()
    await one(1)
    print("told", file=sys.stderr)
    return [day, year, text, time.asctime(), time.localtime().tm_hour]
"""

CARRIED = """
from perdure import flow, step

MADE = {"object": object, "list": list}


@step
async def one(x: int) -> int:
    return x


@flow
async def carries(kind: str) -> str:
    await one(1)
    try:
        made = MADE[kind]()
    except TypeError as error:
        await one(2)
        return str(error)
    await one(3)
    return type(made).__name__


GIVES = {"items": lambda: iter([1, 2]), "objects": lambda: [object()]}


@flow
async def unpacks(kind: str) -> object:
    try:
        return [*GIVES[kind](), await one(3)]
    except TypeError as error:
        return str(error)
"""
NEW_YEAR = "Thu Jan  1 00:00:00 2026"
TARGETS = ("reference", "local", "aws", "azure")


@pytest.fixture(autouse=True)
def _flows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "recorded.py").write_text(FLOWS)
    (tmp_path / "carried.py").write_text(CARRIED)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("target", [target for target in TARGETS if target != "aws"])
def test_a_race_of_nobody_is_a_value_error(target: str) -> None:
    ran = run("recorded.py:nobody", {}, target=target, unscripted="run")
    assert ran.result == "race() needs at least one branch"


def test_a_race_of_nobody_is_a_value_error_on_aws() -> None:
    ran = run("recorded.py:nobody", {}, target="aws", unscripted="run")
    assert ran.result == "race() needs at least one branch"


@pytest.mark.parametrize("target", TARGETS)
def test_a_limit_of_nothing_is_a_value_error(target: str) -> None:
    ran = run("recorded.py:none_at_once", {}, target=target, unscripted="run")
    assert ran.result == "limit must be at least 1"


@pytest.mark.parametrize("target", TARGETS)
def test_the_clock_of_time_is_the_engines(target: str) -> None:
    ran = run("recorded.py:clock", {}, target=target, unscripted="run")
    assert ran.result == ["2026-01-01", 2026, NEW_YEAR, NEW_YEAR, 0]


@pytest.mark.parametrize("target", [*TARGETS, "gcp"])
def test_what_an_operation_cannot_carry_is_a_type_error_where_it_is_bound(target: str) -> None:
    ran = run("carried.py:carries", {"kind": "object"}, target=target, unscripted="run")
    assert ran.result == (
        "value: `object` cannot cross: it has no codec; pass plain data, a dataclass or a pydantic"
        " model, or make it inside the step"
    )
    assert [entry.path for entry in ran.trace] == ["one", "one.2"]
    ran = run("carried.py:carries", {"kind": "list"}, target=target, unscripted="run")
    assert ran.result == "list"


@pytest.mark.parametrize("target", [*TARGETS, "gcp"])
def test_of_what_is_unpacked_an_operation_carries_the_items(target: str) -> None:
    ran = run("carried.py:unpacks", {"kind": "items"}, target=target, unscripted="run")
    assert ran.result == [1, 2, 3]
    ran = run("carried.py:unpacks", {"kind": "objects"}, target=target, unscripted="run")
    assert str(ran.result).startswith("value[0]: `object` cannot cross")
    assert not ran.trace
