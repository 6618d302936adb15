"""SF-04: run SQL, poll each 5 s until it ended, read the manifest, else an own error."""

import json
import uuid
from typing import Any

from perdure import flow, sleep, step


class UnloadFailed(Exception):
    pass


class ManifestMissing(Exception):
    pass


@step
async def execute(sql: str, token: str) -> str: ...


@step
async def describe(statement: str) -> str: ...


@step
async def read(path: str) -> str: ...


@flow
async def unload(table: str, bucket: str) -> list[str]:
    prefix = f"s3://{bucket}/{table}"
    statement = await execute(f"UNLOAD ('select * from {table}') TO '{prefix}'", str(uuid.uuid4()))
    while True:
        await sleep(5)
        status = await describe(statement)
        if status == "FINISHED":
            break
        if status == "ABORTED" or status == "FAILED":
            raise UnloadFailed(f"{statement} {status.lower()}")
    try:
        manifest: dict[str, Any] = json.loads(await read(prefix + "/manifest"))
    except FileNotFoundError as error:
        raise ManifestMissing(str(error)) from error
    return [entry["url"] for entry in manifest["entries"]]
