"""How many of something, as people say it: "1 run", "3 runs"."""

__all__ = ["are", "counted"]


def counted(number: int, noun: str) -> str:
    """The number and the noun, in the plural unless there is one."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def are(number: int) -> str:
    """What follows the noun."""
    return "is" if number == 1 else "are"
