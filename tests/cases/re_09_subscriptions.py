"""RE-09: pay, then add every subscription at once; a list of coroutines built in a loop."""

from collections.abc import Coroutine
from typing import Any

from perdure import flow, gather, step


@step
async def pay(user: str, card: str) -> str: ...


@step
async def subscribe(user: str, name: str, payment: str) -> str: ...


@flow
async def subscriptions(user: str, card: str, names: list[str]) -> dict[str, Any]:
    payment = await pay(user, card)
    pending: list[Coroutine[Any, Any, str]] = []
    for name in names:
        pending.append(subscribe(user, name, payment))
    added = await gather(*pending)
    return {"success": all(a == "ok" for a in added), "ref": payment}
