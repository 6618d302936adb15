"""DT-04: clean up, wait 15 s, begin again with the next counter, five times in all."""

from perdure import flow, sleep, step


@step
async def clean_up(counter: int) -> None: ...


@flow
async def periodic_cleanup(counter: int = 0) -> str:
    await clean_up(counter)
    await sleep("15s")
    if counter + 1 < 5:
        return await periodic_cleanup(counter + 1)
    return f"cleaned up {counter + 1} times"
