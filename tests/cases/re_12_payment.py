"""RE-12: a payment that is made, cancelled, or forgotten a day after it was decided."""

from dataclasses import dataclass

from perdure import event, flow, race, sleep, step


@dataclass
class Payment:
    account: str
    cents: int


@step
async def withdraw(account: str, cents: int) -> bool: ...


@step
async def refund(account: str, cents: int) -> None: ...


@flow
async def payment(expiry: str | None = None) -> list[str]:
    status = "NEW"
    made: Payment | None = None
    answers: list[str] = []
    while True:
        if status == "NEW":
            winner, value = await race(make=event("make", Payment), cancel=event("cancel"))
        else:
            winner, value = await race(
                make=event("make", Payment), cancel=event("cancel"), expired=sleep(expiry or "1d")
            )
        if winner == "expired":
            return [*answers, f"forgotten as {status}"]
        if winner == "make":
            if status == "CANCELLED":
                answers.append("already cancelled")
            elif status != "NEW":
                answers.append("already made")
            else:
                made = value
                paid = await withdraw(made.account, made.cents)
                status = "DONE" if paid else "FAILED"
                answers.append("withdrawn" if paid else "no money")
        elif status == "CANCELLED":
            answers.append("cancelled before")
        else:
            if status == "DONE" and made is not None:
                await refund(made.account, made.cents)
                answers.append("refunded")
            status = "CANCELLED"
