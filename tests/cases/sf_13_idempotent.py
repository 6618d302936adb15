"""SF-13: take the lock; if it is taken, return the saved result, wait, or try again."""

import json
from typing import Any

from perdure import flow, sleep, step


class LockExists(Exception):
    pass


@step
async def take_lock(key: str) -> None: ...


@step
async def read_lock(key: str) -> dict[str, Any]: ...


@step
async def free_lock(key: str) -> None: ...


@step
async def save(key: str, status: str, result: str) -> None: ...


@step
async def work(key: str) -> dict[str, Any]: ...


@flow
async def idempotent(key: str) -> dict[str, Any]:
    while True:
        try:
            await take_lock(key)
            break
        except LockExists:
            record = await read_lock(key)
            if record["status"] == "SUCCEEDED":
                saved: dict[str, Any] = json.loads(record["result"])
                return saved
            if record["status"] == "IN_PROGRESS":
                await sleep(10)
            else:
                await free_lock(key)
    try:
        result: dict[str, Any] = await work(key)
    except Exception:
        await save(key, "FAILED", "null")
        raise
    await save(key, "SUCCEEDED", json.dumps(result, sort_keys=True))
    return result
