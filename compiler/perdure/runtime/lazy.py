"""An operation as a value: like a coroutine it does nothing until awaited, and only once."""

from collections.abc import Callable, Coroutine, Generator
from typing import Any, final

__all__ = ["Lazy"]


@final
class Lazy[R]:
    """What `quote(item)` is before `await`: kept in locals and lists, consumed once."""

    __slots__ = ("_run", "enter", "name")

    def __init__(
        self,
        name: str,
        run: Callable[[], Coroutine[Any, Any, R]],
        enter: Callable[[], None] | None = None,
    ) -> None:
        self.name = name
        self._run: Callable[[], Coroutine[Any, Any, R]] | None = run
        self.enter = enter
        """Called when it becomes a branch: what it holds crosses by value."""

    def __await__(self) -> Generator[Any, Any, R]:
        run, self._run = self._run, None
        if run is None:
            raise RuntimeError("cannot reuse already awaited coroutine")
        return run().__await__()

    def close(self) -> None:
        """Give it up without running it, like `coroutine.close()`."""
        self._run = None

    def __repr__(self) -> str:
        return f"<operation {self.name}>"
