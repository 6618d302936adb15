"""The scope an operation runs in: the body of a flow, or one branch of a fork.

A scope gives operations their structural paths (`scope/label#n`) and carries the counts that
make them unique. `current` is the scope of the running task; None outside a run, and inside
the body of a step: there, everything is plain Python.
"""

from contextvars import ContextVar
from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from perdure.runtime.engine import Run

__all__ = ["Scope", "current", "key_text"]


@final
class Scope:
    """`path` is "" in a flow body, `gather[0]` or `gather[0]/race[late]` in a branch."""

    __slots__ = ("clocks", "counts", "depth", "doomed", "logs", "path", "reads", "run", "taken")

    def __init__(self, run: "Run", path: str = "", depth: int = 0, *, doomed: bool = False) -> None:
        self.run = run
        self.path = path
        self.counts: dict[str, int] = {}
        self.reads = 0
        """How many random values were read here: the ordinal of the next one."""
        self.clocks = 0
        """How often the clock was read here."""
        self.logs = 0
        """How many log records were written here."""
        self.depth = depth
        """Forks and deadlines around this point: who is deeper settles first."""
        self.doomed = doomed
        """A recorded decision says this branch lost: it starts nothing that is not recorded."""
        self.taken: list[str] = []
        """Paths of the events taken last, given back if this branch turns out to have lost."""

    def enter(self, label: str) -> str:
        """The path of the next operation of this label: `label`, then `label#2`, `label#3`."""
        path = self.peek(label)
        self.counts[label] = self.counts.get(label, 0) + 1
        self.taken.clear()
        return path

    def peek(self, label: str) -> str:
        """The path that `enter` would give."""
        count = self.counts.get(label, 0) + 1
        name = label if count == 1 else f"{label}#{count}"
        return f"{self.path}/{name}" if self.path else name

    def branch(self, fork: str, key: int | str, *, doomed: bool = False) -> "Scope":
        """The scope of branch `key` of the fork whose path is `fork`."""
        key = key_text(key) if isinstance(key, str) else key
        return Scope(self.run, f"{fork}[{key}]", self.depth + 1, doomed=doomed or self.doomed)


def key_text(key: str) -> str:
    """A key of a computed race, which is any text, in a path, which has to come apart again."""
    return "".join(f"%{ord(c):02X}" if c in "%/[]#" else c for c in key)


current: ContextVar[Scope | None] = ContextVar("perdure.scope", default=None)
