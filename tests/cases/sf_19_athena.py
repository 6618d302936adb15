"""SF-19: start a query, wait 2 s, poll while it runs, read the results."""

from perdure import flow, sleep, step


@step
async def start(query: str, catalog: str) -> str: ...


@step
async def state_of(execution: str) -> str: ...


@step
async def results(execution: str) -> list[list[str]]: ...


@flow
async def athena(query: str, catalog: str | None = None) -> list[list[str]]:
    execution = await start(query, catalog or "AwsDataCatalog")
    await sleep(2)
    while (state := await state_of(execution)) in ["QUEUED", "RUNNING"]:
        await sleep("2s")
    if state != "SUCCEEDED":
        raise RuntimeError(f"query {state.lower()}")
    return await results(execution)
