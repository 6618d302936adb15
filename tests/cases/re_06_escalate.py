"""RE-06: up to three reminders a day apart, then escalate; stop when paid."""

from perdure import event, flow, step


@step
async def remind(invoice: str, number: int) -> None: ...


@step
async def escalate(invoice: str) -> str: ...


@flow
async def dunning(invoice: str) -> str:
    reminders = 0
    while True:
        try:
            await event("paid", timeout="1d")
        except TimeoutError:
            if reminders < 3:
                reminders += 1
                await remind(invoice, reminders)
            else:
                return await escalate(invoice)
        else:
            return f"paid after {reminders} reminders"
