"""AD-04: three sources at once, the first success counts."""

from perdure import flow, quorum, step


@step
async def fetch(source: str) -> str: ...


@flow
async def first_source() -> str:
    ((index, value),) = await quorum(1, fetch("a"), fetch("b"), fetch("c"))
    return f"{index}: {value}"
