"""The order of paths: who of several that come at one instant stands first."""

import re

__all__ = ["natural"]


def natural(path: str) -> tuple[tuple[int, str], ...]:
    """Order `gather[2]` before `gather[10]`."""
    parts = re.split(r"(\d+)", path)
    return tuple((int(part), "") if part.isdigit() else (-1, part) for part in parts)
