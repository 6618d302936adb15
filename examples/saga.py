"""An order: reserve, charge, wait for the parcel; whatever goes wrong, everything is given back.

A step that runs when the flow is cancelled ends all the same, but the flow never gets its result.
So what a step takes is noted before it runs, under a name known before, and giving back is
idempotent: it also does for what was never taken.
"""

from asyncio import CancelledError
from dataclasses import dataclass

from perdure import Fatal, Retry, event, flow, step

POLITE = Retry(attempts=3, delay="1s", not_on=[Fatal])


class CardDeclined(Fatal):
    """The bank said no; asking again will not help."""


@dataclass(frozen=True)
class Order:
    id: str
    items: list[str]
    card: str


@step(retry=POLITE)
async def reserve(order: str, item: str) -> None:
    print(f"reserved {order}/{item}")


@step(retry=POLITE, timeout="30s")
async def charge(order: Order) -> str:
    if order.card.startswith("0"):
        raise CardDeclined(order.card)
    return f"receipt-{order.id}"


@step(retry=POLITE)
async def release(order: str, item: str) -> None:
    """Give the item back, if it is reserved for the order."""
    print(f"released {order}/{item}")


@step(retry=POLITE)
async def refund(order: str) -> None:
    """Pay back what was charged for the order, if anything was."""
    print(f"refunded {order}")


@flow
async def saga(order: Order) -> str:
    reserved: list[str] = []
    charged = False
    try:
        for item in order.items:
            reserved.append(item)
            await reserve(order.id, item)
        charged = True
        receipt = await charge(order)
        await event("shipped", timeout="14d")
    except (CancelledError, Exception):
        if charged:
            await refund(order.id)
        for item in reversed(reserved):
            await release(order.id, item)
        raise
    return receipt
