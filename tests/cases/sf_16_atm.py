"""SF-16: fifties, twenties, tens, ones; each handler passes the rest on."""

from perdure import flow, step

NOTES = (50, 20, 10, 1)


@step
async def dispense(note: int, count: int) -> None: ...


@flow
async def withdraw(amount: int) -> list[dict[str, int]]:
    out: list[dict[str, int]] = []
    rest = amount
    for note in NOTES:
        count, rest = rest // note, rest % note
        if count:
            await dispense(note, count)
            out.append({"note": note, "count": count})
    return out
