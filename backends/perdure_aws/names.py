"""Names of states: unique in the whole definition, within the limit."""

import hashlib
from collections.abc import Iterator
from itertools import count

from perdure.machine.graph import scopes
from perdure.machine.ir import Machine, Scope

__all__ = ["StateNames"]

LONGEST = 80
"""Characters of a state name (service quotas, 2026-11-23)."""


class StateNames:
    """The name in the definition of each state of each scope of a machine."""

    def __init__(self, machine: Machine) -> None:
        self._names: dict[tuple[str, str], str] = {}
        taken: set[str] = set()
        for scope in scopes(machine.root):
            for state in scope.states:
                self._names[scope.id, state.name] = _free(scope.id, state.name, taken)
        self._taken = taken

    def of(self, scope: Scope, state: str) -> str:
        """The name of the state that the scope calls `state`."""
        return self._names[scope.id, state]

    def extra(self, wanted: str) -> str:
        """A free name for a state that the machine does not know (a retry's wait)."""
        return _free("", wanted, self._taken)


def _free(scope: str, wanted: str, taken: set[str]) -> str:
    name = next(n for n in map(_short, _candidates(scope, wanted)) if n not in taken)
    taken.add(name)
    return name


def _candidates(scope: str, wanted: str) -> Iterator[str]:
    """The name itself, with its scope, then numbered."""
    yield wanted
    if scope:
        yield f"{scope} {wanted}"
    yield from (f"{wanted} {number}" for number in count(2))


def _short(name: str) -> str:
    """The name itself, or its start with a digest of the rest, within the limit."""
    if len(name) <= LONGEST:
        return name
    return f"{name[: LONGEST - 9]} {hashlib.sha256(name.encode()).hexdigest()[:8]}"
