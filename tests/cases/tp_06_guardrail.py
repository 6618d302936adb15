"""TP-06: the guardrail's error carries what it found; the flow says it in its answer."""

from perdure import flow, step


class GuardrailTripped(Exception):
    def __init__(self, reason: str, found: dict[str, list[str]]) -> None:
        super().__init__(reason)
        self.found = found


@step
async def reply(message: str) -> str: ...


@step
async def check(text: str) -> None: ...


@flow
async def guarded(message: str) -> str:
    text = await reply(message)
    try:
        await check(text)
    except GuardrailTripped as tripped:
        return f"withheld: {tripped} ({', '.join(tripped.found['numbers'])})"
    return text
