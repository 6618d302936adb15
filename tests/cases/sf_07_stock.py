"""SF-07: enough in stock: three actions at once; else three others."""

from typing import Any

from perdure import flow, gather, step


@step
async def read_item(sku: str) -> dict[str, Any]: ...


@step
async def act(name: str, sku: str) -> str: ...


@flow
async def reserve_stock(sku: str, quantity: str) -> list[str]:
    item = await read_item(sku)
    if float(item["quantity"]) >= float(quantity) and item["status"] == "IN STOCK":
        return list(
            await gather(act("reserve", sku), act("decrement", sku), act(f"notify {quantity}", sku))
        )
    return list(await gather(act("reject", sku), act("reorder", sku), act("alert", sku)))
