"""What comes from outside, and what no message carries: flows."""

import asyncio
from dataclasses import dataclass
from typing import Any

from perdure import event, flow, gather, progress, race, sleep, step


@dataclass
class Decision:
    """What an operator says."""

    approved: bool
    by: str = "nobody"


@step
async def echo(value: Any) -> Any:
    """Answers its argument."""
    return value


@step
async def grown(size: int) -> str:
    """As many characters."""
    return "x" * size


@flow
async def waits() -> list[Any]:
    """Early events, one with a deadline, and two in a race."""
    first = await event("approval", Decision)
    await sleep("1h")
    second = await event("approval", Decision, timeout="1h")
    winner, value = await race(a=event("first", int), b=event("second", int))
    try:
        late = await event("approval", Decision, timeout=0)
    except TimeoutError:
        late = Decision(False)
    return [first, second, winner, value, late]


@flow
async def talks(n: int) -> list[int]:
    """As many events, across hand-overs."""
    found: list[int] = []
    while len(found) < n:
        found.append(await event("go", int))
    return found


@flow
async def takes(size: int) -> int:
    """A step with an argument so large."""
    try:
        return len(await echo("x" * size))
    except Exception:  # no handler sees a limit
        return -1


@flow
async def gives(size: int) -> int:
    """A step with a result so large."""
    try:
        return len(await grown(size))
    finally:
        await asyncio.sleep(1)


@flow
async def child(text: str) -> str:
    """Its input back."""
    return text


@flow
async def calls(size: int) -> int:
    """A child with an input so large."""
    return len(await child("x" * size))


@flow
async def returns(size: int) -> str:
    """A result so large."""
    await sleep(1)  # returns
    return "x" * size


@flow
async def raises(size: int) -> None:
    """An error so large."""
    await sleep(1)
    raise ValueError("x" * size)


@flow
async def shows(size: int) -> int:
    """Progress so large."""
    await progress("x" * size)
    return size


@flow
async def many(n: int) -> int:
    """So many operations at once."""
    return len(await gather(*[echo(index) for index in range(n)]))


@flow
async def carries(size: int, n: int) -> int:
    """A hand-over with so much in it."""
    text = "x"
    for index in range(n):
        text = "x" * size if index == n - 2 else text
        await sleep(1)  # carries
    return len(text)
