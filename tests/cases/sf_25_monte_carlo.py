"""SF-25: n inputs, n simulations, one aggregate."""

from perdure import flow, gather, step


@step
async def inputs(count: int) -> list[int]: ...


@step
async def simulate(value: int) -> float: ...


@flow
async def monte_carlo(count: int) -> float:
    outcomes = await gather(*[simulate(value) for value in await inputs(count)])
    return sum(outcomes) / len(outcomes) if outcomes else 0.0
