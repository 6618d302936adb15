"""TP-37: wait until approved; until then the language can be changed."""

from typing import Any

from perdure import event, flow, race, step

GREETINGS = {"en": "Hello, {}", "de": "Hallo, {}", "fr": "Bonjour, {}"}


@step
async def record_approval(approver: str) -> None: ...


@flow
async def greet(name: str) -> dict[str, Any]:
    language = "en"
    rejected: list[str] = []
    while True:
        winner, value = await race(approve=event("approve", str), language=event("language", str))
        if winner == "approve":
            await record_approval(value)
            break
        if value not in GREETINGS:
            rejected.append(value)
            continue
        language = value
    return {"greeting": GREETINGS[language].format(name), "rejected": sorted(rejected)}
