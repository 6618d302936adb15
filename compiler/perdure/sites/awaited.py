"""`await value`, where only the value knows what it is.

Emitted code calls `ask` with what is awaited: it gives the operation to perform, and makes the
value one that was awaited. `kind_of` says which of the ways the flow goes on; `operands` and
`helper_call` are what the operation there is given.
"""

from collections.abc import Mapping
from typing import Any, TypeGuard

from perdure.runtime.entering import HelperCall
from perdure.runtime.lazy import Lazy
from perdure.sites.groups import GroupTask

__all__ = ["ask", "awaitables", "kind_of", "left_coroutine", "value_of"]


def ask(slots: Mapping[str, object], value: object) -> object:
    """The operation, taken out of the value; what is none raises as `await` does."""
    if isinstance(value, HelperCall) or _is_lazy(value):
        return value.taken()
    if isinstance(value, GroupTask):
        return value
    kind = type(value).__name__
    raise TypeError(f"object {kind} can't be used in 'await' expression")


def _is_lazy(value: object) -> TypeGuard[Lazy[Any]]:
    return isinstance(value, Lazy)


def _is_pair(value: object) -> TypeGuard[tuple[object, object]]:
    return isinstance(value, tuple)


def awaitables(values: list[Any]) -> list[Any]:
    """What a fork is given: coroutine values all of them, or pairs of a name and one."""
    for one in values:
        value = one[1] if _is_pair(one) else one
        if not isinstance(value, Lazy | HelperCall | GroupTask):
            raise TypeError("An asyncio.Future, a coroutine or an awaitable is required")
    return values


def kind_of(slots: Mapping[str, object], asked: object, known: tuple[str, ...]) -> str:
    """The kind of the operation: one of those that the compiler has found."""
    match asked:
        case GroupTask():
            kind = "task"
        case HelperCall():
            kind = f"helper {asked.function}"
        case Lazy(what=(str(name), *_)):
            kind = name
        case _:
            kind = repr(asked)
    if kind not in known:
        raise NotImplementedError(f"awaiting {kind} here: the compiler saw {', '.join(known)}")
    return kind


def value_of(slots: Mapping[str, object], asked: Any) -> object:
    """What a task that has ended gives; the result of `asyncio.sleep(delay, result)`."""
    return asked.what[3] if isinstance(asked, Lazy) else asked.result()


def left_coroutine(slots: Mapping[str, object], error: BaseException) -> BaseException:
    """What a helper raises to whoever awaits it."""
    if not isinstance(error, StopIteration):
        return error
    raised = RuntimeError("coroutine raised StopIteration")
    raised.__cause__ = error
    return raised
