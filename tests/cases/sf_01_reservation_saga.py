"""SF-01: reserve flight and car, pay, confirm; a failure undoes the stages before it."""

from perdure import Retry, flow, step

THREE = Retry(attempts=3, delay="1s")


@step(retry=THREE)
async def reserve_flight(trip: str) -> str: ...


@step(retry=THREE)
async def reserve_car(trip: str) -> str: ...


@step
async def pay(trip: str) -> str: ...


@step
async def confirm(what: str) -> None: ...


@step(retry=THREE)
async def undo(stage: str, what: str) -> None: ...


@step
async def text_message(text: str) -> None: ...


class TripFailed(Exception):
    pass


@flow
async def reserve(trip: str) -> str:
    stages: dict[str, str] = {}
    try:
        stages["flight"] = await reserve_flight(trip)
        stages["car"] = await reserve_car(trip)
        stages["payment"] = await pay(trip)
        await confirm(stages["car"])
        await confirm(stages["flight"])
    except Exception as error:
        for stage, what in reversed(stages.items()):
            await undo(stage, what)
        await text_message(f"{trip} failed")
        raise TripFailed(f"{type(error).__name__} after {len(stages)} stages") from error
    await text_message(f"{trip} booked")
    return stages["payment"]
