"""Task groups: the tasks that a body has created, and what became of them.

Comes in: calls of emitted code. Goes out: a `Group` that says what to run, and `GroupTask`s, which
are what `create_task` gives; all of them are live values of the flow.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any, Final, Literal, Self, final

__all__ = [
    "Group",
    "GroupTask",
    "begin_group",
    "create_task",
    "end_group",
    "fail_group",
    "group_of",
    "leave_group",
]

type State = Literal["pending", "value", "error", "cancelled"]
PENDING: Final = "Result is not set."


@final
class GroupTask:
    """What `create_task` returns: `result()` after the group has joined."""

    __slots__ = ("_index", "_name", "_outcome", "_state")

    def __init__(
        self, index: int, name: str | None, state: State = "pending", outcome: object = None
    ) -> None:
        self._index = index
        self._name = name
        self._state: State = state
        self._outcome = outcome

    def end(self, state: State, outcome: object) -> None:
        """It has ended; the first end counts."""
        if self._state == "pending":
            self._state, self._outcome = state, outcome

    def result(self) -> Any:
        """The task's value, the same object at each call; raises its error."""
        match self._state:
            case "pending":
                from asyncio import InvalidStateError  # here: a compiler imports this module too

                raise InvalidStateError(PENDING)
            case "cancelled":
                from asyncio import CancelledError

                raise CancelledError
            case "error":
                assert isinstance(self._outcome, BaseException), "an error was kept"
                raise self._outcome
            case "value":
                return self._outcome

    def exception(self) -> BaseException | None:
        """The task's error, None if it has a value."""
        if self._state in ("pending", "cancelled"):
            self.result()
        return self._outcome if isinstance(self._outcome, BaseException) else None

    def done(self) -> bool:
        """Whether it has ended."""
        return self._state != "pending"

    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self._state == "cancelled"

    def cancel(self, msg: object = None) -> bool:
        """Cancel it before it has begun; False if it has ended."""
        if self.done():
            return False
        self.end("cancelled", None)
        return True

    def get_name(self) -> str:
        """The name given to `create_task`, else its index."""
        return self._name if self._name is not None else f"Task-{self._index}"

    def __await__(self) -> Generator[Any, Any, Any]:
        yield from ()
        return self.result()

    def __perdure_encode__(self) -> object:
        return [self._index, self._name, self._state, self._outcome]

    @classmethod
    def __perdure_decode__(cls, state: Any) -> Self:
        return cls(*state)


@final
class Group:
    """The tasks of one `async with`, in the order of their creation."""

    __slots__ = ("keep", "rows", "tasks")

    def __init__(
        self, tasks: list[GroupTask], rows: list[dict[str, object]], keep: bool = False
    ) -> None:
        self.tasks = tasks
        self.rows = rows
        """Of each, the slots that its branch begins with, besides those it finds at the fork."""
        self.keep = keep
        """Somebody may ask for the result of a task, also when the group has failed."""

    def begin(self) -> Iterator[tuple[int, Mapping[str, object]]]:
        """The tasks that are to be run, by index."""
        for index, (task, row) in enumerate(zip(self.tasks, self.rows, strict=True)):
            if not task.done():
                yield index, row

    def __perdure_encode__(self) -> object:
        return [self.tasks, self.rows, self.keep]

    @classmethod
    def __perdure_decode__(cls, state: Any) -> Self:
        return cls(*state)


def begin_group(slots: Mapping[str, object]) -> Group:
    """`async with TaskGroup()`."""
    return Group([], [])


def create_task(
    slots: Mapping[str, object],
    group: Group,
    name: str | None,
    row: dict[str, object],
    kept: bool,
) -> GroupTask:
    """`group.create_task(...)`: it begins when the body of the group first waits, or ends."""
    task = GroupTask(len(group.tasks), name)
    group.tasks.append(task)
    group.rows.append(row)
    group.keep |= kept
    return task


def group_of(value: object) -> Group:
    """The group that a fork of tasks is given."""
    assert isinstance(value, Group), "a fork of tasks is one of a group"
    return value


def end_group(
    slots: Mapping[str, object], group: Group, ended: Sequence[tuple[int, State, object]]
) -> None:
    """All tasks have ended: (index, how, value or error) of each that ran."""
    for index, state, outcome in ended:
        group.tasks[index].end(state, outcome)


def leave_group(slots: Mapping[str, object], group: Group, error: BaseException) -> BaseException:
    """The tasks were cut short, by an error of one of them or of the flow, which goes on.

    `ended_tasks` of the error says what is known of tasks that had ended before.
    """
    end_group(slots, group, vars(error).pop("ended_tasks", ()))
    for task in group.tasks:
        task.end("cancelled", None)
    return error


def fail_group(slots: Mapping[str, object], group: Group, error: BaseException) -> BaseException:
    """The body raised before any task began: none ever does."""
    for task in group.tasks:
        task.end("cancelled", None)
    if not isinstance(error, Exception):
        return error
    raised = ExceptionGroup("unhandled errors in a TaskGroup", [error])
    raised.__suppress_context__ = True
    return raised
