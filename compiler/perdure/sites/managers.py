"""Context managers around operations: what emitted code asks of them.

Of a generator (`at_yield`, `yield_again`, `close_manager`, `end_manager`, `left_manager`): its
`stage` is "begun", "ended" or "raised" (the body is over), or the text of the RuntimeError that it
ends with, because it has yielded again: as `contextlib` does, which closes it then. Of an object of
a class: its methods are called as the `with` statement calls them.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal, Self, final

__all__ = [
    "Trace",
    "at_yield",
    "close_manager",
    "end_manager",
    "enter_manager",
    "exit_arguments",
    "exit_manager",
    "left_manager",
    "method_of_manager",
    "yield_again",
]

type Slots = Mapping[str, object]
BEGUN, ENDED, RAISED = "begun", "ended", "raised"
NEVER: Final = "generator didn't yield"


def at_yield(slots: Slots, stage: str) -> Literal["first", "again"]:
    """Whether the generator yields for the first time."""
    return "first" if stage == BEGUN else "again"


def yield_again(slots: Slots, stage: str, is_async: bool) -> str:
    """It yields again: the stage is what it will end with. It is closed."""
    if stage == ENDED:
        return "generator didn't stop"
    if stage == RAISED:
        return f"generator didn't stop after {'athrow' if is_async else 'throw'}()"
    kind = "async generator" if is_async else "generator"
    raise RuntimeError(f"{kind} ignored GeneratorExit")


def close_manager(slots: Slots) -> None:
    """What `close()` raises at the `yield`."""
    raise GeneratorExit


def end_manager(slots: Slots, stage: str) -> None:
    """The generator has come to its end."""
    if stage == BEGUN:
        raise RuntimeError(NEVER)
    if stage not in (ENDED, RAISED):
        raise RuntimeError(stage)


def left_manager(
    slots: Slots, stage: str, error: BaseException, thrown: object, is_async: bool
) -> BaseException:
    """What the `with` raises after the generator has."""
    if isinstance(error, GeneratorExit) and stage not in (BEGUN, ENDED, RAISED):
        return RuntimeError(stage)
    stops = (StopIteration, StopAsyncIteration) if is_async else (StopIteration,)
    if isinstance(error, stops) and (error is not thrown or stage != RAISED):
        kind = "async generator" if is_async else "generator"
        raised = RuntimeError(f"{kind} raised {type(error).__name__}")
        raised.__cause__ = error
        return raised
    return error


@final
class Trace:
    """Stands for the traceback that `__exit__` is given: it may be passed on."""

    __slots__ = ()

    def __perdure_encode__(self) -> object:
        return None

    @classmethod
    def __perdure_decode__(cls, state: object) -> Self:
        return cls()


def exit_arguments(slots: Slots, error: BaseException | None) -> tuple[object, object, object]:
    """The three that `__exit__` is given."""
    return (None, None, None) if error is None else (type(error), error, Trace())


def enter_manager(slots: Slots, manager: object) -> object:
    """`__enter__`, where both methods are there."""
    # Any: what the class has, only it knows.
    kind: Any = type(manager)
    _both(kind, "__enter__", "__exit__", "the context manager")
    return kind.__enter__(manager)


def exit_manager(slots: Slots, manager: object, error: BaseException | None) -> bool:
    """`__exit__`: whether it takes the error."""
    kind: Any = type(manager)
    return bool(kind.__exit__(manager, *exit_arguments(slots, error)))


def method_of_manager(slots: Slots, manager: object, name: str, known: tuple[str, ...]) -> str:
    """Which of the methods that the compiler has found the manager's class has by that name."""
    kind = type(manager)
    _both(kind, "__aenter__", "__aexit__", "the asynchronous context manager")
    method: Any = getattr(kind, name)
    found = f"{method.__module__}:{method.__qualname__}"
    if found not in known:
        raise NotImplementedError(f"{found} here: the compiler saw {', '.join(known)}")
    return found


def _both(kind: type, enter: str, exit: str, what: str) -> None:
    for name, missed in ((enter, ""), (exit, f" (missed {exit} method)")):
        if not hasattr(kind, name):
            raise TypeError(f"'{kind.__name__}' object does not support {what} protocol{missed}")
