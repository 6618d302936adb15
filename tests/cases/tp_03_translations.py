"""TP-03: the same translator three times in parallel, a picker chooses."""

from perdure import flow, gather, step


@step
async def translate(message: str) -> str: ...


@step
async def pick(message: str, translations: str) -> str: ...


@flow
async def best_translation(message: str) -> str:
    first, second, third = await gather(translate(message), translate(message), translate(message))
    return await pick(message, "\n\n".join([first, second, third]))
