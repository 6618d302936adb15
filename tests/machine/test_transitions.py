"""How many states a run enters, and how much is emitted."""

from pathlib import Path
from typing import Any

import pytest

from perdure.machine import ir
from tests.machine.harness import compile_flow, same

FLOWS = {
    "a chain": (
        """
@flow
async def main(x: int) -> object:
    y = await a(x)
    text = f"{y}!".upper()
    z = await b(text, len(text))
    return [y, z, text]
""",
        ["a", "b", "return"],
    ),
    "a branch": (
        """
@flow
async def main(x: int) -> object:
    kind = await a(x)
    if kind > 1:
        r = await b(kind)
    else:
        r = await c(kind)
    return r
""",
        ["a", "if kind > 1", "b", "return"],
    ),
    "a pure branch": (
        """
@flow
async def main(x: int) -> object:
    kind = await a(x)
    if kind > 1:
        label = "big"
    else:
        label = "small"
    if x > 100:
        raise Odd(label)
    return await b(label)
""",
        ["a", "b", "return"],
    ),
    "a loop": (
        """
@flow
async def main(x: int) -> object:
    total = 0
    for i in range(x):
        total += await a(i)
    return total
""",
        ["start", "for i", "a", "for i", "a", "for i", "return"],
    ),
    "a pure loop": (
        """
@flow
async def main(x: int) -> object:
    n = await a(x)
    while n < 50:
        n *= 3
    return await b(n)
""",
        ["a", "b", "return"],
    ),
    "a wait": (
        """
@flow
async def main(x: int) -> object:
    try:
        d = await event("approval", timeout="3d")
    except TimeoutError:
        d = 5
    return await a(d)
""",
        ["approval", "a", "return"],
    ),
    "a fork": (
        """
@flow
async def main(x: int) -> object:
    y = await a(x)
    ys = await gather(*[b(n + y) for n in range(2)])
    return await c(sum(ys))
""",
        ["a", "gather", *["gather[*]/b", "gather[*]/return"] * 2, "c", "return"],
    ),
    "a loop with a handler": (
        """
@flow
async def main(x: int) -> object:
    for attempt in range(5):
        try:
            y = await a(attempt)
            break
        except ValueError:
            await b(attempt)
    else:
        y = None
    return y
""",
        ["start", "for attempt", "a", "return"],
    ),
}


def _answer(name: str, args: tuple[Any, ...], count: int) -> Any:
    return 2 if name != "event" else 7


@pytest.mark.parametrize("name", FLOWS)
def test_the_states_on_the_path_taken_are_these(name: str, tmp_path: Path) -> None:
    source, expected = FLOWS[name]
    assert same(source, tmp_path, _answer, x=2) == expected


def _size(source: str, folder: Path) -> tuple[int, int]:
    made = compile_flow(source, folder)
    assert not made.refusals
    return len(made.text), len(made.machine.root.states)


def _ifs(count: int) -> str:
    body = "\n".join(f"    if x > {n}:\n        y += await a({n})" for n in range(count))
    return f"@flow\nasync def main(x: int) -> object:\n    y = 0\n{body}\n    return y\n"


def _calls(count: int) -> str:
    helper = "async def helper(n):\n" + "\n".join(f"    n += await a(n, {k})" for k in range(9))
    body = "\n".join(f"    y += await helper({n})" for n in range(count))
    main = f"@flow\nasync def main(x: int) -> object:\n    y = 0\n{body}\n    return y\n"
    return f"{helper}\n    return n\n\n{main}"


@pytest.mark.parametrize("make", [_ifs, _calls])
def test_the_output_is_linear_in_the_source(make: Any, tmp_path: Path) -> None:
    ten, twenty, thirty = (_size(make(count), tmp_path) for count in (10, 20, 30))
    assert thirty[0] - twenty[0] <= 1.2 * (twenty[0] - ten[0])
    assert thirty[1] - twenty[1] == twenty[1] - ten[1]


def test_a_helper_called_from_ten_places_is_there_once(tmp_path: Path) -> None:
    made = compile_flow(_calls(10), tmp_path)
    runs = [state for state in made.machine.root.states if isinstance(state, ir.Run)]
    assert len(runs) == 9
    assert made.machine.root.repeating == frozenset(state.op.label for state in runs)


def test_a_step_is_never_run_again_because_of_what_follows(tmp_path: Path) -> None:
    source = """
@flow
async def main(x: int) -> object:
    y = await a(x)
    total = 0
    for i in range(y):
        total += i
    if total > 3:
        return await b(total)
    return await c(total)
"""
    made = compile_flow(source, tmp_path)
    kinds = {state.name: type(state) for state in made.machine.root.states}
    assert kinds["after a (loop)"] is ir.Route
    same(source, tmp_path, _answer, x=1)
