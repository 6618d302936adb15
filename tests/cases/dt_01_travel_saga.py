"""DT-01: flight, hotel, car; on failure each is cancelled in reverse, each in its own try."""

from typing import Any

from perdure import flow, step


@step
async def book(kind: str, destination: str, nights: int) -> str: ...


@step
async def cancel_booking(kind: str, reference: str) -> None: ...


@flow
async def trip(request: dict[str, Any]) -> dict[str, Any]:
    destination = request["destination"]
    nights = request.get("nights", 3)
    undo: list[tuple[str, str]] = []
    try:
        for kind in ("flight", "hotel", "car"):
            undo.append((kind, await book(kind, destination, nights)))
    except Exception as error:
        compensations: list[str] = []
        for kind, reference in reversed(undo):
            try:
                await cancel_booking(kind, reference)
                compensations.append(f"{kind} {reference}")
            except Exception as failure:
                compensations.append(f"{kind} {reference} failed: {failure}")
        return {"status": "failed", "error": str(error), "compensations": compensations}
    return {"status": "booked", "error": None, "compensations": [r for _, r in undo]}
