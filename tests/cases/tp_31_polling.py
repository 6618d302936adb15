"""TP-31: poll by retry, every 60 seconds, for as long as it takes."""

from perdure import Retry, flow, step


class NotReady(Exception):
    pass


@step(retry=Retry(attempts=None, delay="60s", backoff=1.0, on=[NotReady]))
async def ask_service(name: str) -> str: ...


@flow
async def poll(name: str) -> str:
    return await ask_service(name)
