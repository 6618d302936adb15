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
async def reserve(order: str, item: str) -> str:
    return f"{order}/{item}"


@step(retry=POLITE, timeout="30s")
async def charge(order: Order) -> str:
    if order.card.startswith("0"):
        raise CardDeclined(order.card)
    return f"receipt-{order.id}"


@step(retry=POLITE)
async def release(reservation: str) -> None:
    print(f"released {reservation}")


@step(retry=POLITE)
async def refund(receipt: str) -> None:
    print(f"refunded {receipt}")


@flow
async def saga(order: Order) -> str:
    reservations: list[str] = []
    receipt = ""
    try:
        for item in order.items:
            reservations.append(await reserve(order.id, item))
        receipt = await charge(order)
        await event("shipped", timeout="14d")
    except (CancelledError, Exception):
        if receipt:
            await refund(receipt)
        for reservation in reversed(reservations):
            await release(reservation)
        raise
    return receipt
