"""The nodes of a flow as an emitted module lists them, and what its functions work on."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, Literal, NamedTuple, final

from perdure.sites.cursor import Cursor
from perdure.sites.deadlines import DEADLINES, Deadlines

__all__ = [
    "FRAMES",
    "Block",
    "Call",
    "Catch",
    "Decision",
    "Flow",
    "Node",
    "Operation",
    "Raise",
    "Return",
    "Scope",
    "Slots",
    "branch_name",
    "call",
    "function",
    "named",
]


FRAMES: Final = "frames "
"""The slot of what calls of recursive helpers put aside; no local can have a blank in its name."""
DEEPEST = 9_900
"""Calls of recursive helpers under way: a few less than the frames that other engines give a run
(`perdure.runtime.frames`)."""


@final
class Slots(dict[str, object]):
    """The locals of a flow between two blocks, by slot; one that is missing is unbound."""

    __slots__ = ()

    def keep(self, found: Mapping[str, object], /, *names: str, **renamed: str) -> None:
        """Take over what became of locals: those that are gone are unbound."""
        renamed.update({name: name for name in names})
        for name, slot in renamed.items():
            if name in found:
                self[slot] = found[name]
            else:
                self.pop(slot, None)

    def drop(self, *slots: str) -> None:
        """Unbind slots, bound or not."""
        for slot in slots:
            self.pop(slot, None)

    def enter(self, values: Mapping[str, object], /, *others: str) -> None:
        """A helper is called: its parameters are bound, its other locals are not."""
        self.drop(*others)
        self.update(values)

    def push(self, *slots: str) -> None:
        """A recursive helper is called: what its caller still needs of its own is put aside."""
        frames = self._frames()
        if len(frames) >= DEEPEST:
            raise RecursionError("maximum recursion depth exceeded")
        frames.append({slot: self[slot] for slot in slots if slot in self})
        self[FRAMES] = frames

    def pull(self, *slots: str) -> None:
        """The call is over: what was put aside is back."""
        frames = self._frames()
        self.drop(*slots)
        self.update(frames.pop())
        if not frames:
            del self[FRAMES]

    def cursors(self) -> Iterator[Cursor]:
        """All cursors, of calls under way too."""
        for slots in (self, *self._frames()):
            yield from (value for value in slots.values() if isinstance(value, Cursor))

    def _frames(self) -> list[dict[str, object]]:
        frames: list[dict[str, object]] = self.get(FRAMES, [])  # type: ignore[assignment]
        return frames


@final
class Call(NamedTuple):
    """What an operation calls, with arguments evaluated."""

    callee: object
    args: tuple[object, ...]
    kwargs: dict[str, object]


def call(callee: object, /, *args: object, **kwargs: object) -> Call:
    """`callee(*args, **kwargs)`, not called yet."""
    return Call(callee, args, kwargs)


def named[**P, R](qualname: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Gives the function that binds a helper's arguments the helper's name, for its TypeErrors."""

    def rename(function: Callable[P, R]) -> Callable[P, R]:
        function.__name__ = qualname.rpartition(".")[2]
        function.__qualname__ = qualname
        return function

    return rename


def function(ref: str) -> object:
    """The step or flow of that name, where the code that calls it has a local of the same name."""
    from importlib import import_module

    module, _, qualname = ref.partition(":")
    found: object = import_module(module)
    for part in qualname.split("."):
        found = getattr(found, part)
    return found


@final
class Block(NamedTuple):
    """Straight pure code. `handler` (in all nodes): the pc an exception goes to; "" fails the
    scope.
    """

    code: Callable[[Slots], object]
    next: str
    handler: str = ""


@final
class Decision(NamedTuple):
    """Code that gives the name of an exit; `records`: what a visible decision notes for it."""

    code: Callable[[Slots], object]
    exits: Mapping[str, str]
    handler: str = ""
    name: str = ""
    records: Mapping[str, str] = {}


@final
class Catch(NamedTuple):
    """An exception is kept in `slot`."""

    slot: str
    next: str


@final
class Operation(NamedTuple):
    """A durable operation; `code` evaluates its operands.

    `kind`: "run" and "wait" stop a site that is not this operation's own; "native" stops with the
    operands. `branches` of a fork: the ids of their scopes, in order; the name of a branch stands
    in the last brackets of its id.
    """

    code: Callable[[Slots], object]
    kind: Literal["run", "wait", "native"]
    label: str
    target: str | None
    ok: str
    handler: str = ""
    branches: tuple[str, ...] = ()
    fork: str = ""
    """The kind of a fork: all, race, quorum, group."""
    forked: bool = False
    """Its branches are executions of their own."""


@final
class Return(NamedTuple):
    """The scope ends with the value of `code`."""

    code: Callable[[Slots], object]
    handler: str = ""


@final
class Raise(NamedTuple):
    """`code` raises."""

    code: Callable[[Slots], object]
    handler: str = ""


type Node = Block | Decision | Catch | Operation | Return | Raise


@final
class Scope(NamedTuple):
    """One graph: the flow body, or a branch. `settled`: the site that a pc's code belongs to."""

    entry: str
    params: tuple[str, ...]
    captures: tuple[str, ...]
    repeating: frozenset[str]
    nodes: Mapping[str, Node]
    settled: Mapping[str, str]
    live: Mapping[str, tuple[str, ...]]
    head: str = ""
    """Of branches that are executions of their own: the state that they begin at."""

    def crossing(self, slots: Slots, at: str) -> dict[str, object]:
        """The slots that are needed after a stop, in a fixed order; cursors are plain then."""
        for cursor in slots.cursors():
            cursor.freeze()
        kept = (*self.live[at], DEADLINES, FRAMES)
        return {name: slots[name] for name in kept if name in slots}

    def begin(self, captured: Mapping[str, object], item: Iterable[object] = ()) -> Slots:
        """The slots a branch begins with; `item` has one value for each parameter."""
        slots = Slots({name: captured[name] for name in self.captures if name in captured})
        slots.update(zip(self.params, item, strict=True))
        _inherit(captured, slots)
        return slots

    def begin_task(self, captured: Mapping[str, object], row: Mapping[str, object]) -> Slots:
        """The slots that a task of a group begins with."""
        slots = Slots({name: captured[name] for name in self.captures if name in captured})
        slots.update(row)
        _inherit(captured, slots)
        return slots


def _inherit(captured: Mapping[str, object], slots: Slots) -> None:
    """A branch begins with the deadlines around its fork."""
    around = captured.get(DEADLINES)
    if isinstance(around, Deadlines):
        slots[DEADLINES] = around.of_branch()


@final
class Flow(NamedTuple):
    """A flow: its scopes by id ("" is the body)."""

    ref: str
    digest: str
    scopes: Mapping[str, Scope]


def branch_name(scope: str) -> str:
    """The name of a branch (keyword, index, "*" of a map) out of the id of its scope."""
    return scope.rpartition("[")[2].partition("]")[0]
