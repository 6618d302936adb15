"""DP-01: small orders pass; others wait a day for an approval."""

from dataclasses import dataclass

from perdure import event, flow, race, sleep, step


@dataclass(frozen=True)
class Order:
    product: str
    cost: float
    quantity: int


@dataclass(frozen=True)
class Approval:
    approver: str


@step
async def request_approval(order: Order) -> None: ...


@step
async def place(order: Order) -> None: ...


@flow
async def purchase(order: Order) -> str:
    if order.cost < 1000:
        await place(order)
        return "Auto-approved"
    await request_approval(order)
    winner, value = await race(approval=event("approval", Approval), day=sleep("24h"))
    if winner == "day" or value is None:
        return "Cancelled"
    await place(order)
    return f"Approved by '{value.approver}'"
