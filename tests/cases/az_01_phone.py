"""AZ-01: a code by SMS; three tries within 180 seconds in total."""

import random
from datetime import datetime, timedelta, timezone

from perdure import event, flow, race, sleep, step


@step
async def send_code(phone: str, code: int) -> None: ...


@flow
async def verify(phone: str) -> bool:
    if not phone or phone[0] != "+" or not phone[1:].isdigit():
        raise ValueError(f"{phone!r} is no phone number")
    code = random.randint(0, 9999)
    await send_code(phone, code)
    expires = datetime.now(timezone.utc) + timedelta(seconds=180)
    for _ in range(3):
        winner, answer = await race(answer=event("answer", int), expired=sleep(until=expires))
        if winner == "expired":
            break
        if answer == code:
            return True
    return False
