"""Uses of the public names that every type checker has to accept, with the types it has to see."""

from dataclasses import dataclass
from datetime import timedelta
from typing import assert_type

from perdure import (
    Handle,
    Retry,
    event,
    flow,
    gather,
    progress,
    quorum,
    race,
    reply,
    sleep,
    step,
    this_run,
)


@dataclass
class Order:
    item: str
    count: int = 1


@step
async def price(item: str, *, rebate: float = 0.0) -> float: ...


@step(retry=Retry(attempts=4, delay="1s"), timeout="30s")
def charge(order: Order) -> str: ...


@step(retry=3)
async def notify(text: str) -> None: ...


def weigh(item: str) -> int: ...


weigh_step = step(weigh)


@flow
async def child(order: Order) -> str:
    return await charge(order)


@flow
async def parent(order: Order, note: str = "") -> list[float]:
    assert_type(await price(order.item, rebate=0.1), float)
    assert_type(await charge(order), str)
    assert_type(await charge.options(timeout=timedelta(minutes=5))(order), str)
    assert_type(await weigh_step(order.item), int)
    assert_type(await child(order), str)
    assert_type(await gather(price("a"), charge(order)), tuple[float, str])
    prices = await gather(*[price(item) for item in ("a", "b")], limit=2)
    assert_type(prices, list[float])
    assert_type(await event("approval", Order, timeout="3d"), Order)
    winner, value = await race(first=price("a"), second=price("b"))
    assert_type(winner, str)
    assert_type(value, float)
    assert_type(await quorum(1, price("a"), price("b")), list[tuple[int, float]])
    await sleep("90s")
    await progress({"at": note})
    await reply("message", note)
    assert_type(this_run().id, str)
    return prices


async def outside(order: Order) -> None:
    handle = await parent.start(order, id="order-17")
    assert_type(handle, Handle[list[float]])
    assert_type(await handle.result(), list[float])
    assert_type(await child.run("order-18").result(), str)
