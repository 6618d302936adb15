"""A flow whose steps do what they say: it runs through Microsoft's worker."""

from dataclasses import dataclass
from datetime import date

from perdure import Retry, event, flow, gather, race, sleep, step, this_step


@dataclass
class Parcel:
    """What is sent."""

    name: str
    due: date


@step
async def pack(name: str) -> Parcel:
    """Packs it."""
    return Parcel(name, date(2026, 1, 2))


@step(retry=Retry(attempts=3, delay="2s", jitter=False))
async def ship(parcel: Parcel) -> str:
    """Succeeds the second time."""
    if this_step().attempt == 1:
        raise OSError("busy")
    return f"{parcel.name} shipped on attempt {this_step().attempt}"


@step
def refuse(name: str) -> str:
    """Fails, without a loop."""
    raise ValueError(name)


@flow
async def sub(name: str) -> str:
    """A child."""
    return await ship(await pack(name))


@flow
async def deliver(names: list[str]) -> list[str]:
    """Forks, children, retries, an error, a race and an event."""
    done = await gather(*[sub(name) for name in names])
    try:
        await refuse(names[0])
    except ValueError as error:
        done.append(f"refused {error}")
    winner, _ = await race(word=event("go", int), late=sleep("30d"))
    print("delivered", len(done))
    return [*done, winner]
