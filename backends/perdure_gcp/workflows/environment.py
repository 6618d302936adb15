"""Variables of a running workflow: one `Environment` for each scope that is alive.

Where a name lives is decided before the run (scopes.py). What the variables of an execution take
together is counted in `Memory`.
"""

from typing import final

from perdure_gcp.workflows.limits import value_of
from perdure_gcp.workflows.operators import list_index
from perdure_gcp.workflows.problems import Doubts, Limited, failure
from perdure_gcp.workflows.scopes import Scope
from perdure_gcp.workflows.values import Value, size, type_name

__all__ = ["Environment", "Memory", "replaced"]


@final
class Memory:
    """Bytes that the variables of an execution take."""

    __slots__ = ("_most", "most_used", "used")

    def __init__(self) -> None:
        self.used = 0
        self.most_used = 0
        self._most = value_of("memory_bytes")

    def add(self, count: int) -> None:
        """Variables have grown by so many bytes; too many end the execution."""
        self.used += count
        self.most_used = max(self.most_used, self.used)
        if self.used > self._most:
            message = f"the variables take {self.used:,} bytes, more than {self._most:,}"
            raise Limited("MemoryLimitExceededError", message)


@final
class Environment:
    """The variables of one scope, and the ones around it."""

    __slots__ = ("_bytes", "_memory", "_values", "outer", "scope")

    def __init__(self, scope: Scope, outer: "Environment | None", memory: Memory) -> None:
        self.scope = scope
        self.outer = outer
        self._memory = memory
        self._values: dict[str, Value] = {}
        self._bytes = 0

    def bind(self, name: str, value: Value) -> None:
        """Set a variable of this very scope."""
        old = self._values.get(name)
        grown = size(value) - (size(old) if name in self._values else 0)
        self._bytes += grown
        self._memory.add(grown)
        self._values[name] = value

    def close(self) -> None:
        """The scope is left: its variables take no memory any more."""
        self._memory.add(-self._bytes)
        self._bytes = 0

    def _home(self, name: str) -> "Environment | None":
        owner = self.scope.owner(name)
        found: Environment | None = self
        while found is not None and found.scope is not owner:
            found = found.outer
        return found

    def read(self, name: str, doubts: Doubts) -> Value:
        """The value of a variable."""
        home = self._home(name)
        if home is None or name not in home._values:
            doubts.about("unassigned", f"the variable `{name}`")
            raise failure("KeyError", f"key not found: {name}")
        return home._values[name]

    def write(self, name: str, value: Value, doubts: Doubts) -> None:
        """Assign a variable, where it lives."""
        home = self._home(name)
        assert home is not None, name
        if home is not self and name not in home._values:
            doubts.about("late-scope", f"the variable `{name}`")
        home.bind(name, value)


def replaced(base: Value, path: list[Value], value: Value, doubts: Doubts) -> Value:
    """`base` with another value at the end of `path`; the rest is shared with the old one."""
    if not path:
        return value
    key, rest = path[0], path[1:]
    if isinstance(base, dict):
        name = str(key) if isinstance(key, int) and not isinstance(key, bool) else key
        if not isinstance(name, str):
            raise failure("TypeError", f"a key of a map is text, not {type_name(key)}")
        if rest and name not in base:
            doubts.about("nested-create", f"the key {name!r}")
        return {**base, name: replaced(base.get(name, {}), rest, value, doubts)}
    if isinstance(base, list):
        at = list_index(base, key, doubts)
        return [*base[:at], replaced(base[at], rest, value, doubts), *base[at + 1 :]]
    raise failure("TypeError", f"{type_name(base)} has no elements to assign")
