"""An operation as a value: like a coroutine it does nothing until awaited, and only once."""

from collections.abc import Callable, Coroutine, Generator
from contextvars import ContextVar
from typing import Any, Final, Self, final

from perdure.codec.faults import UncodableError

__all__ = ["Lazy", "staying"]

staying: ContextVar["list[object] | None"] = ContextVar("staying", default=None)
"""Where values are copied inside this process, the operations among them: they are the same ones
afterwards.
"""

REUSED: Final = "cannot reuse already awaited coroutine"


@final
class Lazy[R]:
    """What `quote(item)` is before `await`: kept in locals and lists, consumed once."""

    __slots__ = ("_run", "enter", "name", "what")
    __perdure_live__ = True

    def __init__(
        self,
        name: str,
        run: Callable[[], Coroutine[Any, Any, R]],
        enter: Callable[[], None] | None = None,
        what: tuple[object, ...] = (),
    ) -> None:
        self.name = name
        self._run: Callable[[], Coroutine[Any, Any, R]] | None = run
        self.enter = enter
        """Called when it becomes a branch: what it holds crosses by value."""
        self.what = what
        """Its kind, its call site and what it was given, where a run may go on elsewhere with it.
        """

    def __await__(self) -> Generator[Any, Any, R]:
        run, self._run = self._run, None
        if run is None:
            raise RuntimeError(REUSED)
        return run().__await__()

    def close(self) -> None:
        """Give it up without running it, like `coroutine.close()`."""
        self._run = None

    def taken(self) -> "Lazy[R]":
        """The same operation, which this one is no longer: whoever awaits it fails."""
        run, self._run = self._run, None
        if run is None:
            raise RuntimeError(REUSED)
        return Lazy(self.name, run, self.enter, self.what)

    def __repr__(self) -> str:
        return f"<operation {self.name}>"

    def __perdure_encode__(self) -> object:
        here = staying.get()
        if here is not None:
            here.append(self)
            if self.enter is not None:
                self.enter()
            return ["here", len(here) - 1]
        if not self.what:
            raise UncodableError("Lazy", f"`{self.name}` is not awaited where it is written")
        return [self.name, self._run is None, *self.what]

    @classmethod
    def __perdure_decode__(cls, state: Any) -> Self:
        here = staying.get()
        if here is not None:
            stays: Any = here[state[1]]
            return stays  # type: ignore[no-any-return]
        name, spent, *what = state
        made = cls(name, _elsewhere, None, tuple(what))
        if spent:
            made.close()
        return made


async def _elsewhere() -> Any:
    raise AssertionError("an operation that has crossed is performed by whoever drives the run")
