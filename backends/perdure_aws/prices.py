"""What Step Functions and Lambda cost: one table, which explanations and the docs read.

Prices of us-east-1; `perdure explain --prices FILE` puts others in their place.
"""

from typing import Final

from perdure.explain.model import Price

__all__ = ["PRICES"]

PRICES: Final = (
    Price(
        "transitions", "0.025", 1_000, "4,000 a month", "us-east-1",
        "https://aws.amazon.com/step-functions/pricing/", "2026-11-23",
    ),
    Price(
        "requests", "0.20", 1_000_000, "1,000,000 a month", "us-east-1",
        "https://docs.aws.amazon.com/whitepapers/latest/how-aws-pricing-works/lambda.html",
        "2026-11-23",
    ),
)  # fmt: skip
