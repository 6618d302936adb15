"""SF-22: a semaphore in a table row; the row may be missing, full, or already held by this run."""

from perdure import flow, sleep, step, this_run


class ConditionFailed(Exception):
    pass


class RowMissing(ConditionFailed):
    pass


@step
async def acquire(name: str, holder: str) -> None: ...


@step
async def create_row(name: str) -> None: ...


@step
async def holders(name: str) -> list[str]: ...


@step
async def work(name: str) -> str: ...


@step
async def release(name: str, holder: str) -> None: ...


@flow
async def locked(name: str) -> str:
    holder = this_run().id
    while True:
        try:
            await acquire(name, holder)
            break
        except RowMissing:
            try:
                await create_row(name)
            except ConditionFailed:
                pass
        except ConditionFailed:
            if holder in await holders(name):
                break
            await sleep(3)
    result = await work(name)
    try:
        await release(name, holder)
    except ConditionFailed:
        pass
    return result
