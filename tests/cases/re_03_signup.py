"""RE-03: a mail with a secret; a reminder each 15 s without a click; over after one day."""

from perdure import event, flow, race, sleep, step


@step
async def create_user(name: str, email: str) -> None: ...


@step
async def send_secret(email: str) -> str: ...


@step
async def send_reminder(email: str) -> None: ...


@flow
async def signup(name: str, email: str, patience: int = 86_400) -> bool:
    await create_user(name, email)
    secret = await send_secret(email)
    waited = 0
    while True:
        winner, value = await race(
            clicked=event("click", str),
            remind=sleep(15),
            over=sleep(patience - waited),
        )
        if winner == "clicked":
            return bool(value == secret)
        if winner == "over":
            raise TimeoutError(f"{name} never clicked")
        waited += 15
        await send_reminder(email)
