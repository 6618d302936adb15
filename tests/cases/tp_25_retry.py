"""TP-25: a step fails three times, then succeeds; the interval stays at two seconds or less."""

from perdure import Retry, flow, step


@step(retry=Retry(attempts=5, delay="1s", backoff=2.0, max_delay="2s"))
async def compose(greeting: str, name: str) -> str: ...


@flow
async def greet(name: str) -> str:
    return await compose("Hello", name)
