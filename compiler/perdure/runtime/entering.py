"""What enters a parallel branch crosses by value: a helper's arguments, and what it closes over.

`helper(x)` in a flow is a `HelperCall`: awaited it is the coroutine that Python makes of it. A fork
that takes it as a branch makes it anew from copies, all from one heap, so that what was shared
between them still is, and nothing is shared with the flow around or with another branch. What only
lives inside the process (operations not awaited yet, semaphores, groups, modules, classes) is
handed on as it is: it is no data of the flow.
"""

from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping
from inspect import CO_COROUTINE, CORO_CLOSED, getcoroutinestate
from types import BuiltinFunctionType, CellType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any, TypeGuard, final

from perdure.codec import decode_slots, encode_slots
from perdure.codec.faults import UncodableError
from perdure.runtime.lazy import Lazy, staying

if TYPE_CHECKING:
    from perdure.codec.functions import FunctionTable

__all__ = ["HelperCall", "entered", "is_helper"]

_ATOMS = frozenset({str, int, float, bool, type(None), bytes, complex})
_LIVE_HOMES = ("asyncio", "perdure.runtime", "perdure.language")
"""Packages whose objects are no data."""


def entered(work: Awaitable[Any], functions: "FunctionTable | None") -> Awaitable[Any]:
    """What a branch runs; TypeError for what cannot cross."""
    if isinstance(work, HelperCall):
        return work.entered(functions)
    if isinstance(work, Lazy) and work.enter is not None:
        work.enter()
    return work


def is_helper(callee: object) -> TypeGuard[FunctionType | MethodType]:
    """Whether calling it makes a coroutine: `async def`, or a method that is one."""
    function = callee.__func__ if isinstance(callee, MethodType) else callee
    return isinstance(function, FunctionType) and bool(function.__code__.co_flags & CO_COROUTINE)


@final
class HelperCall:
    """`helper(x)` before `await`: consumed once, like the coroutine that it holds."""

    __slots__ = ("_args", "_function", "_kwargs", "_spent", "_work")
    __perdure_live__ = True
    _args: tuple[object, ...]
    _function: Callable[..., Coroutine[Any, Any, Any]]

    def __init__(
        self,
        callee: FunctionType | MethodType,
        args: tuple[object, ...],
        kwargs: Mapping[str, object],
    ) -> None:
        self._args = (callee.__self__, *args) if isinstance(callee, MethodType) else args
        self._function = _function_of(callee)
        self._kwargs = kwargs
        self._spent = False
        # Made at once: a call that does not fit the function fails here, as in Python.
        self._work: Coroutine[Any, Any, Any] = self._function(*self._args, **kwargs)

    def __await__(self) -> Generator[Any, Any, Any]:
        if not self._spent and getcoroutinestate(self._work) == CORO_CLOSED:
            self._work = self._function(*self._args, **self._kwargs)  # it was copied
        self._spent = True
        running: Generator[Any, Any, Any] = self._work.__await__()
        return running

    def close(self) -> None:
        """Give it up without running it."""
        self._spent = True
        self._work.close()

    def taken(self) -> "HelperCall":
        """The same call, which this one is no longer: whoever awaits it fails."""
        if self._spent:
            raise RuntimeError("cannot reuse already awaited coroutine")
        self.close()
        function: object = self._function
        assert isinstance(function, FunctionType), "a helper is written in Python"
        made = HelperCall(function, self._args, self._kwargs)
        made._work.close()  # whoever takes it runs the helper in a way of its own
        return made

    @property
    def function(self) -> str:
        """The helper: `module:qualname`."""
        return f"{self._function.__module__}:{self._function.__qualname__}"

    @property
    def args(self) -> tuple[object, ...]:
        """What it is given by position."""
        return self._args

    @property
    def kwargs(self) -> Mapping[str, object]:
        """What it is given by name."""
        return self._kwargs

    def __perdure_encode__(self) -> object:
        self._work.close()  # it is made anew wherever this goes
        return [self._function, list(self._args), dict(self._kwargs), self._spent]

    @classmethod
    def __perdure_decode__(cls, state: Any) -> "HelperCall":
        function, args, kwargs, spent = state
        made = cls(function, tuple(args), kwargs)
        made._work.close()  # see `taken`
        made._spent = spent
        return made

    def entered(self, functions: "FunctionTable | None") -> Coroutine[Any, Any, Any]:
        """The coroutine of a branch, made from copies; TypeError for what cannot cross."""
        cells: list[CellType] = []
        if _is_closure(self._function):
            _add_cells(self._function, cells)
        if not cells and all(map(_is_atom, (*self._args, *self._kwargs.values()))):
            return self._work
        values: dict[str, object] = {f"a{n}": value for n, value in enumerate(self._args)}
        values.update({f"k{name}": value for name, value in self._kwargs.items()})
        held = {n: cell.cell_contents for n, cell in enumerate(cells) if _is_filled(cell)}
        values.update({f"c{n}": value for n, value in held.items()})
        copies = _copied(values, functions)
        fresh = {
            id(cell): CellType(copies[f"c{n}"]) if n in held else CellType()
            for n, cell in enumerate(cells)
        }
        for cell in fresh.values():
            if _is_filled(cell) and _is_closure(cell.cell_contents):
                cell.cell_contents = _with_cells(cell.cell_contents, fresh)
        function = self._function
        if _is_closure(function):
            function = _with_cells(function, fresh)
        self._work.close()
        args = [copies[f"a{n}"] for n in range(len(self._args))]
        work: Coroutine[Any, Any, Any] = function(
            *args, **{name: copies[f"k{name}"] for name in self._kwargs}
        )
        return work


def _function_of(callee: FunctionType | MethodType) -> FunctionType:
    function: object = callee.__func__ if isinstance(callee, MethodType) else callee
    assert isinstance(function, FunctionType), "a helper's method is written in Python"
    return function


def _copied(values: Mapping[str, object], functions: "FunctionTable | None") -> dict[str, object]:
    data = {name: value for name, value in values.items() if not _is_live(value)}
    token = staying.set([])
    try:
        written = encode_slots(data, functions=functions, live=True)
        copies = decode_slots(written, functions=functions)
    except UncodableError as fault:
        fault.forget_slot()
        raise
    finally:
        staying.reset(token)
    return {
        name: value.entered(functions) if isinstance(value, HelperCall) else copies.get(name, value)
        for name, value in values.items()
    }


def _is_atom(value: object) -> bool:
    return type(value) in _ATOMS


def _is_live(value: object) -> bool:
    kinds = (ModuleType, type, FunctionType, BuiltinFunctionType, Coroutine)
    return isinstance(value, kinds) or type(value).__module__.startswith(_LIVE_HOMES)


def _is_filled(cell: CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018  # reading an empty one raises
    except ValueError:
        return False
    return True


def _is_closure(value: object) -> TypeGuard[FunctionType]:
    return isinstance(value, FunctionType) and bool(value.__closure__)


def _add_cells(function: FunctionType, cells: list[CellType]) -> None:
    """The cells of a function, and of the functions in them."""
    for cell in function.__closure__ or ():
        if any(cell is other for other in cells):
            continue
        cells.append(cell)
        if _is_filled(cell) and _is_closure(cell.cell_contents):
            _add_cells(cell.cell_contents, cells)


def _with_cells(function: FunctionType, fresh: Mapping[int, CellType]) -> FunctionType:
    """The same function over other cells."""
    closure = tuple(fresh[id(cell)] for cell in function.__closure__ or ())
    made = FunctionType(
        function.__code__,
        function.__globals__,
        function.__name__,
        function.__defaults__,
        closure,
    )
    made.__kwdefaults__ = function.__kwdefaults__
    made.__qualname__ = function.__qualname__
    made.__module__ = function.__module__
    return made
