"""Values that write down everything that is done to them, in order; and scripted answers and
errors.

The same flow run twice with equal recorders must make equal records, or the order of evaluation
differs.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any


class PlannedError(Exception):
    """What a recorder raises at the event it was told to fail at."""


class Recorder:
    """A record of events. Truth values come from `bits`, by the number of the event; one event may
    fail."""

    def __init__(self, bits: int, fail_at: int | None) -> None:
        self.events: list[str] = []
        self._bits = bits
        self._fail_at = fail_at

    def note(self, what: str) -> int:
        """Write an event; gives its number."""
        number = len(self.events)
        if number > 400:
            raise PlannedError("too long")
        self.events.append(what)
        if number == self._fail_at:
            raise PlannedError(what)
        return number

    def truth(self, what: str) -> bool:
        """The next truth value; an endless `while` ends after a while."""
        number = self.note(what)
        return bool(self._bits >> (number % 61) & 1) and number < 200

    def probe(self, what: str) -> "Probe":
        """A new value, made by an event."""
        return Probe(self, f"{what[:24]}#{self.note(what)}")


class Probe:
    """A value whose every use is an event."""

    def __init__(self, recorder: Recorder, name: str) -> None:
        object.__setattr__(self, "_recorder", recorder)
        object.__setattr__(self, "_name", name)

    _recorder: Recorder
    _name: str

    def __repr__(self) -> str:
        self._recorder.note(f"repr {self._name}")
        return self._name

    def __str__(self) -> str:
        self._recorder.note(f"str {self._name}")
        return self._name

    def __format__(self, spec: str) -> str:
        self._recorder.note(f"format {self._name} {spec[:20]!r}")
        return self._name

    def __bool__(self) -> bool:
        return self._recorder.truth(f"bool {self._name}")

    def __getattr__(self, name: str) -> "Probe":
        if name.startswith("__"):
            raise AttributeError(name)
        return self._recorder.probe(f"get {self._name}.{name}")

    def __setattr__(self, name: str, value: object) -> None:
        self._recorder.note(f"set {self._name}.{name} {named(value)}")

    def __call__(self, *args: object, **named_args: object) -> "Probe":
        given = [*map(named, args), *(f"{key}={named(value)}" for key, value in named_args.items())]
        return self._recorder.probe(f"call {self._name}({', '.join(given)})")

    def __getitem__(self, index: object) -> "Probe":
        return self._recorder.probe(f"item {self._name}[{named(index)}]")

    def __setitem__(self, index: object, value: object) -> None:
        self._recorder.note(f"setitem {self._name}[{named(index)}] {named(value)}")

    def __delitem__(self, index: object) -> None:
        self._recorder.note(f"delitem {self._name}[{named(index)}]")

    def __iter__(self) -> Iterator["Probe"]:
        self._recorder.note(f"iter {self._name}")
        for at in range(2):
            yield self._recorder.probe(f"next {at} {self._name}")

    def __contains__(self, other: object) -> bool:
        return self._recorder.truth(f"in {self._name} {named(other)}")

    def m(self, *args: object, **named_args: object) -> "Probe":
        """A method: found without an event, as methods of classes are."""
        return Probe.__call__(self, *args, **named_args)

    def __hash__(self) -> int:
        return hash(self._name)

    def _binary(self, operator: str, other: object) -> "Probe":
        return self._recorder.probe(f"{self._name} {operator} {named(other)}")

    def __add__(self, other: object) -> "Probe":
        return self._binary("+", other)

    def __radd__(self, other: object) -> "Probe":
        return self._binary("radd", other)

    def __iadd__(self, other: object) -> "Probe":
        return self._binary("+=", other)

    def __lt__(self, other: object) -> "Probe":
        return self._binary("<", other)

    def __gt__(self, other: object) -> "Probe":
        return self._binary(">", other)

    def __eq__(self, other: object) -> Any:
        return self is other or self._binary("==", other)

    def __neg__(self) -> "Probe":
        return self._recorder.probe(f"-{self._name}")

    def __enter__(self) -> "Probe":
        return self._recorder.probe(f"enter {self._name}")

    def __exit__(self, kind: object, error: object, trace: object) -> bool:
        return self._recorder.truth(f"exit {self._name} {getattr(kind, '__name__', kind)}")


def named(value: object) -> str:
    """A value in a record, without asking it."""
    match value:
        case Probe():
            return value._name  # pyright: ignore[reportPrivateUsage]  # asking a probe is an event
        case list() | tuple() | set():
            return f"{type(value).__name__}({', '.join(map(named, value))})"  # pyright: ignore
        case dict():
            return f"dict({', '.join(f'{named(k)}: {named(v)}' for k, v in value.items())})"  # pyright: ignore
        case None | bool() | int() | str() | slice():
            return repr(value) if not isinstance(value, slice) else "slice"
        case BaseException():
            return f"{type(value).__name__}{named(value.args)}"
        case _:
            return f"<{type(value).__name__}>"


class End:
    """How a run ended, and what happened on the way."""

    def __init__(self, recorder: Recorder, outcome: str) -> None:
        self.events = recorder.events
        self.outcome = outcome

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, End) and self.outcome == other.outcome and self.events == other.events
        )

    def __hash__(self) -> int:
        return hash(self.outcome)

    def __repr__(self) -> str:
        return "\n".join([*self.events, f"=> {self.outcome}"])


def run(recorder: Recorder, start: Callable[[Probe, Probe], Awaitable[object]]) -> End:
    """Run something with two probes; only the record counts."""
    first, second = Probe(recorder, "p"), Probe(recorder, "q")

    async def main() -> object:
        return await start(first, second)

    try:
        outcome = f"returns {named(asyncio.run(main()))}"
    except Exception as error:
        outcome = f"raises {_error(error)}"
    return End(recorder, outcome)


def _error(error: BaseException) -> str:
    cause = f" from {type(error.__cause__).__name__}" if error.__cause__ is not None else ""
    whole = f"{type(error).__name__}: {named(error.args)}"
    parts: tuple[BaseException, ...] = getattr(error, "exceptions", ())
    inner = f" [{'; '.join(map(_error, parts))}]" if parts else ""
    return f"{whole}{inner}{cause}"
