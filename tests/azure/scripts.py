"""What the tests of printed flows share."""

from pathlib import Path

from perdure.testing import after

FLOWS = Path(__file__).with_name("flows.py")
NAMES = ["p", "q", "r"]


def steps() -> dict[str, object]:
    """Scripts for `everything`; each name of `flaky` fails once."""
    tried: set[str] = set()

    def flaky(name: str) -> object:
        again = name in tried
        tried.add(name)
        return name.upper() if again else ValueError(name)

    return {
        "work": lambda name: f"{name}!",
        "flaky": flaky,
        "slow": lambda name: after("2m", name),
    }
