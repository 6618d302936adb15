"""Stand-ins for perdure's names, so that a flow's source runs under CPython alone.

What operations answer comes from the `Script` in `current`; it notes each operation that is asked.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

__all__ = [
    "EndlessError",
    "Script",
    "Step",
    "current",
    "event",
    "flow",
    "gather",
    "progress",
    "race",
    "sleep",
    "step",
]


class EndlessError(BaseException):
    """More operations than any test needs: the flow does not end."""


class Script:
    """Answers in order of asking: a function of (name, arguments, how often it was asked)."""

    def __init__(self, answer: Callable[[str, tuple[Any, ...], int], Any]) -> None:
        self.answer = answer
        self.asked: list[tuple[str, tuple[Any, ...]]] = []
        self.counts: dict[str, int] = {}

    def ask(self, name: str, args: tuple[Any, ...]) -> Any:
        self.counts[name] = count = self.counts.get(name, 0) + 1
        self.asked.append((name, args))
        if len(self.asked) > 400:
            raise EndlessError
        return self.answer(name, args, count)


current: ContextVar[Script] = ContextVar("script")


class Step:
    """A step: its answer is the script's."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.name = function.__name__
        self.__perdure_ref__ = f"flow_under_test:{function.__name__}"

    async def __call__(self, *args: Any) -> Any:
        return current.get().ask(self.name, args)


def step(function: Callable[..., Any]) -> Step:
    return Step(function)


def flow(function: Callable[..., Any]) -> Callable[..., Any]:
    return function


async def event(name: str, type: Any = None, *, timeout: Any = None) -> Any:
    return current.get().ask("event", (name, timeout))


async def sleep(duration: Any = None, *, until: Any = None) -> None:
    current.get().ask("sleep", (duration,))


async def progress(value: Any) -> None:
    current.get().ask("progress", (value,))


async def gather(*branches: Any, limit: Any = None, return_exceptions: bool = False) -> list[Any]:
    """One after the other: every branch ends, then the first error is raised."""
    results: list[Any] = []
    errors: list[BaseException] = []
    for branch in branches:
        try:
            results.append(await branch)
        except Exception as error:
            errors.append(error)
            results.append(error)
    if errors and not return_exceptions:
        raise errors[0]
    return results


async def race(**branches: Any) -> tuple[str, Any]:
    """The first one as written wins."""
    for other in list(branches.values())[1:]:
        other.close()
    name, first = next(iter(branches.items()))
    return name, await first
