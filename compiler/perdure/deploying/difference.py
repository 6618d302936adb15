"""How a state of a machine that is compiled differs from the one that is deployed."""

import json
from typing import NamedTuple, final

from perdure.codec.text import Json

__all__ = ["Difference", "short"]

LONGEST = 60


@final
class Difference(NamedTuple):
    """A state that was added, removed or changed, and how."""

    action: str
    state: str
    place: str
    what: str

    def __str__(self) -> str:
        sign = {"add": "+", "remove": "-", "change": "~"}[self.action]
        return f"{sign} {self.state}  {self.place}  {self.what}".rstrip()


def short(value: Json) -> str:
    """A value on one line."""
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
