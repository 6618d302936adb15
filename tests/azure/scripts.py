"""What the tests of printed flows share."""

from collections.abc import Callable
from pathlib import Path

from perdure.testing import after

FLOWS = Path(__file__).with_name("flows.py")
NAMES = ["p", "q", "r"]


def steps() -> dict[str, Callable[..., object]]:
    """Scripts for `everything`; each name of `flaky` fails once."""
    tried: set[str] = set()

    def flaky(name: str) -> object:
        again = name in tried
        tried.add(name)
        return name.upper() if again else ValueError(name)

    def work(name: str) -> str:
        return f"{name}!"

    def slow(name: str) -> object:
        return after("2m", name)

    return {"work": work, "flaky": flaky, "slow": slow}
