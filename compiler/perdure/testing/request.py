"""What `run` asks of a target, and what it gets back."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, final

from perdure.codec.text import Json
from perdure.runtime.engine import LogRecord
from perdure.runtime.usage import Usage
from perdure.testing.scripts import Scripts
from perdure.trace import Trace, TraceEntry

__all__ = ["RUN_ID", "RUN_SEED", "START", "Request", "Result", "ScriptedEvent"]

RUN_ID: Final = "run"
"""The id of the run under test, on every target."""

RUN_SEED: Final = "0" * 32
"""The seed of its randomness, on every target (`seed=` picks only the interleaving)."""

START: Final = 1767225600.0
"""2026-01-01T00:00:00Z: where the clock of every test starts."""


class ScriptedEvent(NamedTuple):
    """An event that somebody sends `after` seconds from the start; `payload` is plain JSON."""

    after: float
    name: str
    payload: object


@final
class Request(NamedTuple):
    """One test run, for `run_flow(request) -> Result` of a target's `engine` module."""

    file: Path
    flow: str | None
    """The flow's name; None where the file has one only."""
    arguments: Mapping[str, object]
    scripts: Scripts
    events: tuple[ScriptedEvent, ...] = ()
    """In order of time; equal times in order of the script."""
    cancel: float | None = None
    """Seconds from the start at which the run is asked to cancel."""
    engine: str | None = None
    seed: int = 0


@final
class Result:
    """How the run went. `status`: "done", "failed", "cancelled" or "waiting"."""

    def __init__(
        self,
        trace: Trace,
        *,
        result: Any = None,  # of the type that the flow declares
        error: BaseException | None = None,
        transitions: int | None = None,
        history: tuple[object, ...] = (),
        logs: tuple[LogRecord, ...] = (),
        progress: Json = None,
    ) -> None:
        self._trace = trace
        self.status = trace.end.status
        self.result: Any = result
        """The flow's result, as a live value."""
        self.error = error
        """The error of a failed run, rebuilt."""
        self.transitions = transitions
        """State transitions, where the engine counts them."""
        self.history = history
        """What the engine's own history says."""
        self.logs = logs
        self.progress = progress

    @property
    def trace(self) -> tuple[TraceEntry, ...]:
        """The operations: path, kind, name, arguments, attempts, outcome, span, time."""
        return self._trace.entries

    @property
    def usage(self) -> dict[str, tuple[Usage, ...]]:
        """What steps reported to have spent, by path: one sum for each model."""
        return {entry.path: entry.usage for entry in self.trace if entry.usage}

    @property
    def whole_trace(self) -> Trace:
        """Operations and end: what `perdure.trace.compare` takes."""
        return self._trace

    def __repr__(self) -> str:
        what = f": {self.error!r}" if self.error is not None else f": {self.result!r}"
        return f"<run {self.status}{what}>"
