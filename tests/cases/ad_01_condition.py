"""AD-01: look each second until the counter reaches three."""

from perdure import flow, sleep, step


@step
async def look(count: int) -> int: ...


@flow
async def wait_for_condition() -> int:
    def done(state: int) -> bool:
        return state >= 3

    state = 0
    while not done(state):
        state = await look(state)
        if not done(state):
            await sleep("1s")
    return state
