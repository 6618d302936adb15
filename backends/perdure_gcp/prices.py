"""What Workflows and Cloud Run cost: one table, which explanations and the docs read.

`perdure explain --prices FILE` puts others in their place.
"""

from typing import Final

from perdure.explain.model import Price

__all__ = ["PRICES"]

_PAGE: Final = "https://cloud.google.com/workflows/pricing"

PRICES: Final = (
    Price("internal", "0.01", 1_000, "5,000 a month", "", _PAGE, "2026-11-23"),
    Price("external", "0.025", 1_000, "2,000 a month", "", _PAGE, "2026-11-23"),
    Price("requests", "0.40", 1_000_000, "2,000,000 a month", "tier 1 regions",
          "https://cloud.google.com/run/pricing", "2026-11-23"),
)  # fmt: skip
