"""TP-22: whatever happens to the long step, cancel included, the cleanup runs."""

from perdure import event, flow, step


@step
async def prepare(name: str) -> str: ...


@step
async def clean_up(name: str) -> None: ...


@flow
async def guarded_work(name: str) -> str:
    try:
        place = await prepare(name)
        done = await event("done", str)
        return f"{place} {done}"
    finally:
        await clean_up(name)
