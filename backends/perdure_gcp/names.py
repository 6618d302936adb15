"""Names of routines and steps: letters, digits and `_`, as the documentation has them."""

import hashlib
import re
from itertools import count
from typing import Final, final

from perdure.machine.ir import Scope

__all__ = ["Names", "routine_name"]

LONGEST: Final = 60
"""Characters; no page gives a limit, so names stay readable."""

_WORDS: Final = """
    args assign branches break call condition continue end except for main next parallel params
    raise result retry return steps switch try site wait pause begin input reply text map list
    which branch branch_try branch_over branch_ended branch_failed
    resume resume_nowhere
"""
RESERVED: Final = frozenset(_WORDS.split())
"""Words of the language, and routines and variables that are in every workflow."""


@final
class Names:
    """Names that are still free in one routine, or in a whole workflow."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def free(self, wanted: str) -> str:
        """A name like that one, the first of it as it is."""
        plain = _plain(wanted)
        candidates = (plain if n == 1 else f"{plain}_{n}" for n in count(1))
        name = next(c for c in candidates if c not in self._taken and c not in RESERVED)
        self._taken.add(name)
        return name


def routine_name(scope: Scope, names: Names) -> str:
    """`gather[0]` is `gather_0`."""
    return "main" if not scope.id else names.free(scope.id)


def _plain(wanted: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9]+", "_", wanted).strip("_") or "step"
    if plain[0].isdigit():
        plain = f"_{plain}"
    if len(plain) > LONGEST:
        plain = f"{plain[: LONGEST - 9]}_{hashlib.sha256(wanted.encode()).hexdigest()[:8]}"
    return plain
