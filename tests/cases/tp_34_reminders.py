"""TP-34: an e-mail every 30 days until the user completes."""

from perdure import event, flow, race, sleep, step


@step
async def send_email(address: str, number: int) -> None: ...


@flow
async def remind(address: str) -> int:
    sent = 0
    complete = False
    while not complete:
        await send_email(address, sent + 1)
        sent += 1
        winner, _ = await race(month=sleep("30d"), complete=event("complete"))
        complete = winner == "complete"
    return sent
