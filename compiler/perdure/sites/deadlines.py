"""Deadlines around a place of a flow: the live value of `async with timeout(...) as d`.

A scope carries its `Deadlines` in a slot of their own, `DEADLINES`, wherever it goes; a branch
begins with copies of those around its fork. Emitted code calls `begin_deadline` at the head of a
block, and one of `end_deadline`, `fail_deadline` where it is left. Whoever performs operations
bounds them by `first()` and says which one has passed with `fire`; the flow then sees a
CancelledError there, which becomes a TimeoutError where the block ends, as in asyncio.timeouts.
"""

from collections.abc import Iterator, MutableMapping
from typing import TYPE_CHECKING, Any, Final, Literal, Self, final

from perdure.durations import due, seconds_of
from perdure.runtime.scope import current

if TYPE_CHECKING:
    from perdure.sites.groups import Group

__all__ = [
    "DEADLINES",
    "Deadline",
    "Deadlines",
    "begin_deadline",
    "deadlines_of",
    "end_deadline",
    "end_watch",
    "fail_deadline",
    "watch_group",
]

DEADLINES: Final = "deadlines "
"""The slot; no local can have a blank in its name."""

type State = Literal["active", "expiring", "expired", "finished"]


@final
class Deadline:
    """One block's: when it is due in engine time (None: never), and what became of it."""

    __slots__ = ("cancelling", "due", "group", "state", "watch")

    def __init__(
        self,
        when: float | None,
        cancelling: int,
        state: State = "active",
        watch: str | None = None,
        group: "Group | None" = None,
    ) -> None:
        self.due = when
        self.cancelling = cancelling
        """How many cancellations were under way when the block began."""
        self.state: State = state
        self.watch = watch
        """Of the body of a task group: the path of its fork. It is due when a task has failed."""
        self.group = group
        """That group, in the scope that it belongs to."""

    def expired(self) -> bool:
        """Whether the deadline has passed while the block was running."""
        return self.state in ("expiring", "expired")

    def when(self) -> float | None:
        """When it is due, on the clock that `time.monotonic()` reads."""
        return self.due

    def reschedule(self, when: float | None) -> None:
        """Another due time, while the block runs."""
        if self.state != "active":
            raise RuntimeError(f"Cannot change state of {self.state} Timeout")
        self.due = None if when is None else _due_at(when)

    def __perdure_encode__(self) -> object:
        plain = [self.due, self.cancelling, self.state]
        return plain if self.watch is None else [*plain, self.watch, self.group]

    @classmethod
    def __perdure_decode__(cls, state: Any) -> Self:
        return cls(*state)


@final
class Deadlines:
    """Those around the place where a scope stands, outermost first; `inherited` from its fork."""

    __slots__ = ("cancelling", "inherited", "stack")

    def __init__(self, stack: list[Deadline], inherited: int = 0, cancelling: int = 0) -> None:
        self.stack = stack
        self.inherited = inherited
        self.cancelling = cancelling
        """Cancellations that the scope saw and that no block has taken back."""

    def first(self) -> Deadline | None:
        """The one that passes next: the earliest; of several the innermost."""
        active = [d for d in reversed(self.stack) if d.state == "active" and d.due is not None]
        return min(active, key=_due_of, default=None)

    def fire(self, deadline: Deadline) -> None:
        """It has passed: the flow sees a CancelledError now."""
        deadline.state = "expiring"
        self.cancelling += 1

    def fired(self) -> Iterator[int]:
        """Of those inherited, by number, the ones that have passed here."""
        for number, deadline in enumerate(self.stack[: self.inherited]):
            if deadline.expired():
                yield number

    def of_branch(self) -> "Deadlines":
        """What a branch begins with; those that have passed already do not concern it."""
        stack = [
            Deadline(d.due, 0, watch=d.watch) if d.state == "active" else Deadline(None, 0)
            for d in self.stack
        ]
        return Deadlines(stack, len(stack))

    def of_task(self, own: Deadline) -> "Deadlines":
        """What a task of the group begins with whose deadline this is: those around the group. Who
        cancels its body, cancels its tasks.
        """
        around = self.of_branch().stack[: self.stack.index(own)]
        stack = [Deadline(None, 0) if d.watch is not None else d for d in around]
        return Deadlines(stack, len(stack))

    def __perdure_encode__(self) -> object:
        return [self.stack, self.inherited, self.cancelling]

    @classmethod
    def __perdure_decode__(cls, state: Any) -> Self:
        return cls(*state)


def deadlines_of(slots: MutableMapping[str, object]) -> Deadlines | None:
    """Those of a scope, None without any."""
    found = slots.get(DEADLINES)
    return found if isinstance(found, Deadlines) else None


def begin_deadline(
    slots: MutableMapping[str, object], delay: object, absolute: bool, wait_for: bool
) -> Deadline:
    """A block begins: `timeout(delay)`, `timeout_at(delay)`, `wait_for(..., delay)`."""
    if delay is None:
        when = None
    elif absolute:
        assert isinstance(delay, int | float), "a moment of the loop's clock"
        when = _due_at(delay)
    else:
        seconds = seconds_of(delay)
        if wait_for and seconds <= 0:
            raise TimeoutError
        when = due(_now(), seconds)
    around = deadlines_of(slots)
    if around is None:
        around = slots[DEADLINES] = Deadlines([])
    deadline = Deadline(when, around.cancelling)
    around.stack.append(deadline)
    return deadline


def watch_group(slots: MutableMapping[str, object], group: "Group") -> None:
    """The body of a task group begins that goes on waiting with tasks under way."""
    around = deadlines_of(slots)
    if around is None:
        around = slots[DEADLINES] = Deadlines([])
    around.stack.append(Deadline(None, around.cancelling, watch=group.path, group=group))


def end_watch(slots: MutableMapping[str, object]) -> None:
    """The group has ended, in whatever way: its error, if it has one, goes on."""
    _leave(slots)


def end_deadline(slots: MutableMapping[str, object]) -> None:
    """The innermost block ends without an exception."""
    _leave(slots)


def fail_deadline(slots: MutableMapping[str, object], error: BaseException) -> BaseException:
    """The innermost block ends with an exception; gives the one that goes on."""
    from asyncio import CancelledError  # here: a compiler imports this module too

    mine = _leave(slots)
    if mine and isinstance(error, CancelledError):
        timeout = TimeoutError()
        timeout.__cause__ = error
        return timeout
    return error


def _leave(slots: MutableMapping[str, object]) -> bool:
    """Whether a cancellation that arrives here is this block's own, and nobody else's."""
    around = deadlines_of(slots)
    assert around is not None, "a block that ends has begun"
    deadline = around.stack.pop()
    mine = deadline.state == "expiring"
    deadline.state = "expired" if mine else "finished"
    if mine:
        around.cancelling -= 1
        mine = around.cancelling <= deadline.cancelling
    if not around.stack:
        del slots[DEADLINES]
    return mine


def _due_of(deadline: Deadline) -> float:
    assert deadline.due is not None, "only what is due at all is compared"
    return deadline.due


def _due_at(when: float) -> float:
    now = _now()
    return due(now, when - now)


def _now() -> float:
    """Engine time; without an engine nothing is ever due."""
    scope = current.get()
    return 0.0 if scope is None else scope.run.now(scope.path, scope.clocks)
