"""Flows whose runs hand themselves over to other executions, soon."""

import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tests.aws_deploy.cloud.functions import Functions

__all__ = ["LONG", "short_histories"]

LONG = """
from perdure import flow, sleep, step

@step
async def turn(n: int) -> int:
    return n

@flow
async def long(times: int) -> int:
    total = 0
    for n in range(times):
        total += await turn(n)
        await sleep("1h")
    return total
"""


@contextmanager
def short_histories(events: int) -> Generator[None]:
    """Whose functions hand over after so many events, instead of thousands."""
    load: Any = vars(Functions)["_load"]

    def shortened(self: Functions, arn: str) -> Any:
        code = load(self, arn)
        file = Path(code._folder) / "perdure" / "sites" / "handover.py"
        text, count = re.subn(r"(?m)^EVENTS = .*$", f"EVENTS = {events}", file.read_text())
        assert count == 1, "the number stands in the bundle"
        file.write_text(text)
        return code

    with patch.object(Functions, "_load", shortened):
        yield
