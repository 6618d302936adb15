"""Hand-over: a run goes on at the head of a loop, with its live values, under an empty history.

A compiled flow says at the head of a loop what it needs from there on. When the history has grown
long, and nothing else is under way, the run stops there; its next generation skips what stands
before the loop and gets the values back, all from one heap.

    if (handed := durable.handed_over("while")) is None:
        total = 0
    else:
        (total,) = handed
    while await durable.turn("while", total) and total < 30_000:
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Protocol, cast, final

from perdure.codec import decode_slots, encode_slots
from perdure.codec.text import Json
from perdure.runtime.scope import Scope, current

if TYPE_CHECKING:
    from perdure.codec.functions import FunctionTable

__all__ = ["HandsOver", "handed_over", "resumes", "turn", "turns"]


class HandsOver(Protocol):
    """A run that can stop at a loop and go on from there."""

    handed: Mapping[str, Json] | None
    """Where this generation begins; None for the first."""
    handed_values: dict[str, object] | None
    """The values in `handed`, decoded once: what the loop goes through may be one of them."""

    @property
    def functions(self) -> "FunctionTable | None":
        """Names nested functions of the flow's files."""
        ...

    def is_full(self) -> bool:
        """Whether the history is long, and nothing is under way."""
        ...

    async def hand_over(self, state: Mapping[str, Json]) -> None:
        """Stop here for good."""
        ...


def handed_over(label: str) -> tuple[object, ...] | None:
    """The values at the loop where this generation begins; None if that is another, or none."""
    scope, state = _handed(label)
    if scope is None:
        return None
    scope.counts = {name: int(str(count)) for name, count in _object(state["counts"]).items()}
    scope.reads, scope.clocks, scope.logs = (
        int(str(state[name])) for name in ("reads", "clocks", "logs")
    )
    values = _values(scope, state)
    return tuple(values[name] for name in sorted(values) if name != "over")


def resumes(*labels: str) -> bool:
    """Whether this generation begins at one of these loops."""
    return any(_handed(label)[0] is not None for label in labels)


async def turn(label: str, *values: object) -> bool:
    """True, at the head of a `while` loop; or the run hands over here."""
    scope = _full()
    if scope is not None:
        await _stop(scope, label, values)
    return True


@final
class turns[T]:  # noqa: N801  # called as a function, in place of what is iterated over
    """What a `for` loop goes through, item by item; before each the run may hand over."""

    def __init__(
        self, label: str, over: Callable[[], Iterable[T]], live: Callable[[], tuple[object, ...]]
    ) -> None:
        scope, state = _handed(label)
        self._label = label
        self._live = live
        self._at = 0
        if scope is None:
            self._over: Iterable[T] = over()
        else:
            self._over = cast("Iterable[T]", _values(scope, state)["over"])
            self._at = int(str(state["at"]))
        is_list = type(self._over) is list
        self._list = cast("list[T]", self._over) if is_list else None
        self._items = iter(self._over)
        if self._list is None:
            for _ in range(self._at):
                next(self._items)

    def __aiter__(self) -> "turns[T]":
        return self

    async def __anext__(self) -> T:
        scope = _full() if type(self._over) in (list, tuple, str, range) else None
        if scope is not None:
            await _stop(scope, self._label, self._live(), self._over, self._at)
        if self._list is not None:  # its iterator is a place in it, whatever becomes of it
            if self._at >= len(self._list):
                raise StopAsyncIteration
            item = self._list[self._at]
        else:
            try:
                item = next(self._items)
            except StopIteration:
                raise StopAsyncIteration from None
        self._at += 1
        return item


def _full() -> Scope | None:
    """The scope of a flow's body whose run should hand over now."""
    scope = current.get()
    if scope is None or scope.path or scope.depth or not hasattr(scope.run, "is_full"):
        return None
    return scope if _run(scope).is_full() else None


async def _stop(
    scope: Scope, label: str, values: tuple[object, ...], over: object = None, at: int = 0
) -> None:
    slots = {f"{index:04}": value for index, value in enumerate(values)}
    try:
        encoded = encode_slots({**slots, "over": over}, functions=_run(scope).functions)
    except (TypeError, ValueError):
        return  # something lives here that cannot cross: it goes on as it is
    counts: dict[str, Json] = dict(scope.counts)
    place: dict[str, Json] = {"label": label, "values": encoded, "at": at, "counts": counts}
    marks: dict[str, Json] = {"reads": scope.reads, "clocks": scope.clocks, "logs": scope.logs}
    await _run(scope).hand_over({**place, **marks})


def _handed(label: str) -> tuple[Scope | None, Mapping[str, Json]]:
    scope = current.get()
    if scope is None or not hasattr(scope.run, "handed"):
        return None, {}
    state = _run(scope).handed
    return (None, {}) if state is None or state["label"] != label else (scope, state)


def _values(scope: Scope, state: Mapping[str, Json]) -> dict[str, object]:
    run = _run(scope)
    if run.handed_values is None:
        run.handed_values = decode_slots(_object(state["values"]), functions=run.functions)
    return run.handed_values


def _run(scope: Scope) -> HandsOver:
    return cast("HandsOver", scope.run)


def _object(value: Json) -> dict[str, Json]:
    assert isinstance(value, dict)
    return value
