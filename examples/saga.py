"""An order: reserve, charge, wait for the parcel; whatever goes wrong, everything is given back."""

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
    print(f"released {order}/{item}")


@step(retry=POLITE)
async def refund(order: str) -> None:
    print(f"refunded {order}")


@flow
async def saga(order: Order) -> str:
    reserved: list[str] = []
    try:
        for item in order.items:
            reserved.append(item)  # before: of a step that a cancel meets, the result is lost
            await reserve(order.id, item)
        receipt = await charge(order)
        await event("shipped", timeout="14d")
    except (CancelledError, Exception):
        await refund(order.id)  # if it was charged; the step knows, the flow cannot
        for item in reversed(reserved):
            await release(order.id, item)
        raise
    return receipt
