"""Task groups: the tasks that a body has created, and what became of them.

Comes in: calls of emitted code. Goes out: a `Group` that says what to run, and `GroupTask`s, which
are what `create_task` gives; all of them are live values of the flow.
"""

from collections.abc import Generator, Iterator, Mapping, MutableMapping, Sequence
from typing import Any, Final, Literal, Self, final

from perdure.errors import LimitExceeded
from perdure.runtime.scope import current
from perdure.sites.deadlines import end_watch, watch_group

__all__ = [
    "Group",
    "GroupTask",
    "begin_group",
    "cancel_group",
    "create_task",
    "end_group",
    "fail_group",
    "group_of",
    "leave_group",
]

type State = Literal["pending", "running", "value", "error", "cancelled"]
PENDING: Final = "Result is not set."
UNDER_WAY: Final = "task_under_way: a task is asked about before its group has joined"


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
        if self._state in ("pending", "running"):
            self._state, self._outcome = state, outcome

    def begin(self) -> None:
        """It runs beside the body: what becomes of it is known when the group has joined."""
        self._state = "running"

    def result(self) -> Any:
        """The task's value, the same object at each call; raises its error."""
        match self._state:
            case "running":
                raise _asked()
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
        if self._state in ("pending", "running", "cancelled"):
            self.result()
        return self._outcome if isinstance(self._outcome, BaseException) else None

    def done(self) -> bool:
        """Whether it has ended."""
        if self._state == "running":
            raise _asked()
        return self._state != "pending"

    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self.done() and self._state == "cancelled"

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

    __slots__ = ("cancelled", "keep", "looked", "path", "rows", "running", "scope", "tasks")

    def __init__(  # noqa: PLR0917
        self,
        tasks: list[GroupTask],
        rows: list[dict[str, object]],
        keep: bool = False,
        path: str = "",
        scope: str = "",
        looked: int = 0,
        running: int = 0,
        cancelled: bool = False,
    ) -> None:
        self.tasks = tasks
        self.rows = rows
        """Of each, the slots that its branch begins with, besides those it finds at the fork."""
        self.keep = keep
        """Somebody may ask for the result of a task, also when the group has failed."""
        self.path = path
        """Of one whose body goes on waiting: the path of its fork, and the scope of its tasks."""
        self.scope = scope
        self.looked = looked
        """So many tasks have begun, or were cancelled before; `running` counts those that have."""
        self.running = running
        self.cancelled = cancelled
        """Its body has failed."""

    def begin(self) -> Iterator[tuple[int, Mapping[str, object]]]:
        """The tasks that are to be run, by index."""
        for index, (task, row) in enumerate(zip(self.tasks, self.rows, strict=True)):
            if not task.done():
                yield index, row

    def begin_next(self) -> Iterator[tuple[int, Mapping[str, object]]]:
        """The tasks that were created since, by index: they run from here on."""
        for index in range(self.looked, len(self.tasks)):
            if not self.tasks[index].done():
                self.tasks[index].begin()
                self.running += 1
                yield index, self.rows[index]
                self.rows[index] = {}
        self.looked = len(self.tasks)

    def __perdure_encode__(self) -> object:
        plain = [self.tasks, self.rows, self.keep]
        more = [self.path, self.scope, self.looked, self.running, self.cancelled]
        return [*plain, *more] if self.path else plain

    @classmethod
    def __perdure_decode__(cls, state: Any) -> Self:
        return cls(*state)


def begin_group(slots: MutableMapping[str, object], label: str = "", scope: str = "") -> Group:
    """`async with TaskGroup()`; `label`: its body goes on waiting with tasks of `scope` under way,
    and a failed one ends it there.
    """
    counts = current.get()
    if not label or counts is None:
        return Group([], [])
    group = Group([], [], True, counts.enter(label), scope)
    watch_group(slots, group)
    return group


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
    slots: MutableMapping[str, object], group: Group, ended: Sequence[tuple[int, State, object]]
) -> None:
    """All tasks have ended: (index, how, value or error) of each that ran."""
    if group.path:
        end_watch(slots)
    for index, state, outcome in ended:
        group.tasks[index].end(state, outcome)


def leave_group(
    slots: MutableMapping[str, object], group: Group, error: BaseException
) -> BaseException:
    """The tasks were cut short, by an error of one of them or of the flow, which goes on.

    `ended_tasks` of the error says what is known of tasks that had ended before.
    """
    end_group(slots, group, vars(error).pop("ended_tasks", ()))
    for task in group.tasks:
        task.end("cancelled", None)
    return error


def cancel_group(slots: Mapping[str, object], group: Group, error: BaseException) -> BaseException:
    """The body raised with tasks under way: they are to be cancelled now."""
    group.cancelled = True
    return error


def fail_group(
    slots: MutableMapping[str, object],
    group: Group,
    error: BaseException,
    ended: Sequence[tuple[int, State, object]] = (),
) -> BaseException:
    """The body raised, and no task runs: before any began, or they are cancelled (`ended`)."""
    end_group(slots, group, ended)
    for task in group.tasks:
        task.end("cancelled", None)
    if not isinstance(error, Exception):
        return error
    raised = ExceptionGroup("unhandled errors in a TaskGroup", [error])
    raised.__suppress_context__ = True
    return raised


def _asked() -> LimitExceeded:
    """The run ends, whatever the flow makes of the error: how a task stands is in no record."""
    counts = current.get()
    if counts is not None:
        run: Any = counts.run  # a site's, which is not all that a `Run` is
        run.passed = UNDER_WAY
    return LimitExceeded(UNDER_WAY)
