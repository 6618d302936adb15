"""Flows whose steps get lost, and that are stopped."""

from perdure import StepLost, event, flow, sleep, step


@step
async def fragile(name: str) -> str: ...


@flow
async def loses() -> str:
    try:
        return await fragile("x")
    except StepLost as error:
        return str(error)


@flow
async def stubborn() -> str:
    try:
        return await event("never", str)
    finally:
        await sleep("1h")


@flow
async def parent() -> str:
    print("before")
    try:
        return await stubborn()
    finally:
        print("after")
