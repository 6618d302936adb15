"""What the Durable Task Scheduler costs by the action: one table, read by explanations and docs.

`perdure explain --prices FILE` puts a price in its place: Microsoft's page shows it per region and
only to a browser that runs its script.
"""

from typing import Final

from perdure.explain.model import Price

__all__ = ["PRICES"]

PRICES: Final = (
    Price(
        "actions", None, 1, "", "the Consumption SKU",
        "https://learn.microsoft.com/azure/durable-task/scheduler/durable-task-scheduler-billing",
        "2026-11-23",
    ),
    Price(
        "activities", "0.20", 1_000_000, "1,000,000 a month", "East US, Consumption plan",
        "https://azure.microsoft.com/pricing/details/functions/", "2026-11-23",
    ),
)  # fmt: skip
